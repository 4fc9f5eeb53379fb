/** An S3 server as a process of its own, whose files lie in the directory that it is given. It ends with whoever started it. */
import S3rver from '@20minutes/s3rver'

const [directory = '', ...buckets] = process.argv.slice(2)
const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  // It reckons the path of a bucket without the slash at its end that the SDK signs; whether we sign right is the SDK's business.
  allowMismatchedSignatures: true,
  directory,
  configureBuckets: buckets.map((name) => ({ name, configs: [] })),
})
const { port } = await server.run()
process.send?.(port)
process.once('disconnect', () => void server.close())
