/**
 * Every metric by name, with its help text. It decides what is counted and in which buckets; where the numbers come from,
 * and who asks for them, is not known here. deploy/observability holds alerts and a dashboard of these names.
 */
import { Counter, Gauge, Histogram } from './instruments.ts'

/** From an answer that somebody waits for to a recording of a day. */
const SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150, 300, 600, 1800, 3600]
const MIB = 1024 ** 2
const UPLOAD_BYTES = [MIB / 16, MIB / 4, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB, 4096 * MIB]
const RECORDING_SECONDS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 36_000]
/** 1 is as long as the recording; a GPU is far below, a small CPU above. */
const TIMES_REAL_TIME = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

export type Metrics = ReturnType<typeof createMetrics>

/** `failureCodes` begin at 0: a counter that first appears as 1 has never risen for Prometheus. */
export function createMetrics(failureCodes: readonly string[] = []) {
  const metrics = {
    ...ofRequests(),
    ...ofTheRoad(),
    ...ofTheQueue(),
    ...ofJobs(),
    ...ofTheEngine(),
    ...ofTheMachine(),
  }
  for (const code of failureCodes) metrics.failures.add(0, { code })
  for (const state of ['running', 'finished']) metrics.joined.add(0, { state })
  for (const kind of ['stream', 'early']) {
    metrics.begunAnswers.add(0, { kind })
    metrics.brokenAnswers.add(0, { kind })
  }
  for (const outcome of ['completed', 'failed', 'cancelled']) metrics.jobsEnded.add(0, { outcome })
  for (const phase of ['loading', 'ready']) metrics.engineExits.add(0, { phase })
  for (const counter of [metrics.recordings, metrics.heardSeconds, metrics.windows, metrics.engineStarts]) {
    counter.add(0, {})
  }
  return metrics
}

/** What Prometheus reads. */
export function exposition(metrics: Metrics): string {
  return Object.values(metrics)
    .map((instrument) => instrument.expose())
    .join('')
}

const ofRequests = () => ({
  requests: new Counter({
    name: 'hviske_http_requests_total',
    help: 'Requests by route, method and status. Of an answer that broke off it is the status with which it began',
    labels: ['route', 'method', 'status'],
  }),
  requestSeconds: new Histogram(
    {
      name: 'hviske_http_request_seconds',
      help: 'From the headers of a request to the end of its answer',
      labels: ['route'],
    },
    SECONDS,
  ),
  inFlight: new Gauge({
    name: 'hviske_http_requests_in_flight',
    help: 'Requests that are being answered, this one included',
  }),
  failures: new Counter({
    name: 'hviske_failures_total',
    help: 'What clients were told went wrong, or that they left (docs/errors.md); also in the middle of an answer',
    labels: ['code'],
  }),
  uploadBytes: new Histogram(
    { name: 'hviske_upload_bytes', help: 'Size of the recordings that arrived whole' },
    UPLOAD_BYTES,
  ),
  joined: new Counter({
    name: 'hviske_joined_requests_total',
    help: 'Requests that joined work that was running or had finished, instead of starting it again',
    labels: ['state'],
  }),
  begunAnswers: new Counter({
    name: 'hviske_begun_answers_total',
    help: 'Answers whose headers went out before their body was there: streams, and early headers of slow answers',
    labels: ['kind'],
  }),
  brokenAnswers: new Counter({
    name: 'hviske_broken_answers_total',
    help: 'Those of them that did not end whole; hviske_failures_total says why',
    labels: ['kind'],
  }),
})

const ofTheRoad = () => ({
  waitSeconds: new Histogram(
    {
      name: 'hviske_queue_wait_seconds',
      help: 'How long recordings waited for ffmpeg (decoding) and for the engine, whether they got their turn or left',
      labels: ['queue'],
    },
    SECONDS,
  ),
  decodeSeconds: new Histogram(
    { name: 'hviske_decode_seconds', help: 'How long ffmpeg took for a whole recording' },
    SECONDS,
  ),
  engineSeconds: new Histogram(
    {
      name: 'hviske_engine_seconds',
      help: 'How long the engine took for a recording, beside all others; also what it waited for a model that was being loaded',
      labels: ['task'],
    },
    SECONDS,
  ),
  slotWaitSeconds: new Histogram(
    { name: 'hviske_slot_wait_seconds', help: 'How long the first window of a recording waited for a slot' },
    SECONDS,
  ),
  realTimeFactor: new Histogram(
    {
      name: 'hviske_real_time_factor',
      help: 'Engine seconds for each second of a finished recording: 1 is as long as it lasts, less is faster',
    },
    TIMES_REAL_TIME,
  ),
  recordings: new Counter({
    name: 'hviske_recordings_total',
    help: 'Recordings that were transcribed to their end',
  }),
  recordingSeconds: new Histogram(
    { name: 'hviske_recording_seconds', help: 'Length of the recordings that were transcribed to their end' },
    RECORDING_SECONDS,
  ),
  heardSeconds: new Counter({
    name: 'hviske_heard_seconds_total',
    help: 'Seconds of audio that the engine has got through, also of recordings that did not come to their end',
  }),
  windows: new Counter({
    name: 'hviske_windows_total',
    help: 'Windows of recordings that were transcribed to their end',
  }),
  modelSeconds: new Counter({
    name: 'hviske_model_seconds_total',
    help: 'What finished recordings cost: speech detection, and their share of the batches they were encoded and decoded in',
    labels: ['stage'],
  }),
  judged: new Counter({
    name: 'hviske_judged_texts_total',
    help: 'Stretches of text that a guard removed (dropped) or doubts (warned), and for which reason',
    labels: ['verdict', 'reason'],
  }),
})

const ofTheQueue = () => ({
  queueLength: new Gauge({
    name: 'hviske_queue_recordings',
    help: 'Recordings in the engine (active), and waiting for ffmpeg or the engine (waiting)',
    labels: ['state'],
  }),
  queueLimit: new Gauge({
    name: 'hviske_queue_limit',
    help: 'The most there may be: MAX_CONCURRENT_TRANSCRIPTIONS and MAX_QUEUE_SIZE (0 with FAIL_FAST_WHEN_BUSY)',
    labels: ['state'],
  }),
  expectedWaitSeconds: new Gauge({
    name: 'hviske_queue_expected_wait_seconds',
    help: 'How long a recording that comes now would wait for the engine, by its measured speed; nothing before that',
  }),
  spoolBytes: new Gauge({
    name: 'hviske_spool_disk_bytes',
    help: 'The file system below DATA_DIR: its size, and what is free for us',
    labels: ['state'],
  }),
})

const ofJobs = () => ({
  jobs: new Gauge({
    name: 'hviske_jobs',
    help: 'Jobs that are kept, by lane and state; of those in a shared queue, as every server sees them',
    labels: ['lane', 'state'],
  }),
  oldestPendingJob: new Gauge({
    name: 'hviske_jobs_oldest_pending_seconds',
    help: 'How long the oldest job that has not been begun has been waiting; absent where none waits, and where more than 1000 do',
  }),
  storedJobBytes: new Gauge({
    name: 'hviske_jobs_stored_bytes',
    help: 'Recordings and results of jobs, as counted every ten minutes by this process; absent before the first count',
  }),
  jobsEnded: new Counter({
    name: 'hviske_jobs_ended_total',
    help: 'Jobs that this process has ended: completed, failed, or cancelled by a client',
    labels: ['outcome'],
  }),
})

const ofTheEngine = () => ({
  engineState: new Gauge({
    name: 'hviske_engine_state',
    help: '1 for the state that the engine is in, 0 for the others',
    labels: ['state'],
  }),
  loadingFraction: new Gauge({
    name: 'hviske_engine_loading_ratio',
    help: 'How much of the step of loading that goes on is done, where that is known',
  }),
  engineStarts: new Counter({
    name: 'hviske_engine_starts_total',
    help: 'Python children that were started: the first one, and one for each restart',
  }),
  engineExits: new Counter({
    name: 'hviske_engine_exits_total',
    help: 'Python children that ended, while loading or after they were ready',
    labels: ['phase'],
  }),
  loadSeconds: new Gauge({
    name: 'hviske_engine_last_load_seconds',
    help: 'How long the last child took from its start until it was ready, downloads included',
  }),
  model: new Gauge({
    name: 'hviske_model_info',
    help: 'Always 1; the labels say which model is loaded, and how it runs',
    labels: ['model', 'revision', 'device', 'device_name', 'compute_type', 'vad', 'version'],
  }),
  slots: new Gauge({ name: 'hviske_slots', help: 'How many windows are decoded side by side' }),
  decoderSteps: new Counter({
    name: 'hviske_decoder_steps_total',
    help: 'Steps of the decoder: each moves every slot that is in use on by one token. Told by the child every five seconds; a new child begins at 0',
  }),
  slotSteps: new Counter({
    name: 'hviske_decoder_slot_steps_total',
    help: 'Slots in use, summed over these steps: divided by the steps and by hviske_slots it says how full the batches are',
  }),
  windowsWaiting: new Gauge({
    name: 'hviske_windows_waiting',
    help: 'Windows that have been found in recordings and wait for a slot',
  }),
  gpuMemory: new Gauge({
    name: 'hviske_gpu_memory_bytes',
    help: "What the Python child keeps of the GPU's memory (reserved), without CUDA's own share, and what there is (total); nothing without a GPU",
    labels: ['state'],
  }),
  engineMemory: new Gauge({
    name: 'hviske_engine_resident_memory_bytes',
    help: 'Resident memory of the Python child; only on Linux',
  }),
})

/** The names that Prometheus' own clients use, so that ready-made dashboards find them. */
const ofTheMachine = () => ({
  residentMemory: new Gauge({
    name: 'process_resident_memory_bytes',
    help: "Resident memory of this process (Node), without the child's",
  }),
  cpuSeconds: new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of this process (Node)',
  }),
  startTime: new Gauge({
    name: 'process_start_time_seconds',
    help: 'When this process started, as seconds since 1970',
  }),
  openDescriptors: new Gauge({
    name: 'process_open_fds',
    help: 'Open file descriptors of this process; only on Linux',
  }),
  heapUsed: new Gauge({ name: 'nodejs_heap_size_used_bytes', help: 'What lives on the JavaScript heap' }),
  eventLoopBusy: new Counter({
    name: 'hviske_event_loop_active_seconds_total',
    help: 'How long the event loop was at work; when its rate is near 1, Node is the bottleneck',
  }),
})
