// Says hello and dies of something that it has no word for.
import { sayHello } from './wire.ts'

sayHello()
process.stderr.write('RuntimeError: the disk is on fire\n')
process.exitCode = 1
