// The contract of the queue, kept by a SQLite file.
import { crashContract } from '../crash-contract.ts'
import { queueContract } from '../queue-contract.ts'
import { openForContract, openForProcesses } from './opened.ts'

queueContract('a SQLite file', openForContract)
crashContract('a SQLite file', openForProcesses)
