// The contract of the queue, kept by a SQLite file.
import { queueContract } from '../queue-contract.ts'
import { openForContract } from './opened.ts'

queueContract('a queue in a SQLite file', openForContract)
