/** The names of all lines, in the order in which they are written. Each stands in docs/doctor.md, and has a test for good and for bad. */

export const LINES = [
  'settings',
  'node',
  'python',
  'torch',
  'driver',
  'cuda',
  'gpu',
  'arithmetic',
  'memory',
  'compiler',
  'ffmpeg',
  'isolation',
  'container',
  'caches',
  'data',
  'disk',
  'keys',
  'jobs',
  'queue',
  'objects',
  'model',
  'transcription',
  'repairs',
  'clock',
  'name',
  'ports',
  'router',
  'certificate',
] as const

export type LineName = (typeof LINES)[number]
