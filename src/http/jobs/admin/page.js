// The page of jobs: reads /queue and /v1/jobs every few seconds with the key that was typed in, and shows them. Whatever comes
// from a client is put in as text.
const REFRESH_MS = 2000
const PAGE_SIZE = 50
const ENDED = ['completed', 'failed', 'cancelled']
const KEY = 'hviske-key'

const $ = (id) => document.getElementById(id)
const body = (table) => table.querySelector('tbody')
/** How many jobs are shown; grows when older ones are asked for. */
let shown = PAGE_SIZE
/** Only the latest refreshing may write on the page. */
let turn = 0
let timer

class Refused extends Error {}

async function ask(path, method = 'GET') {
  const key = sessionStorage.getItem(KEY)
  const response = await fetch(path, { method, headers: key ? { 'x-api-key': key } : {} })
  const answer = await response.json()
  if (!response.ok) throw new Refused(answer.error?.message ?? `status ${response.status}`)
  return answer
}

const refresh = () => void look()

/** Never rejects. */
async function look() {
  clearTimeout(timer)
  const mine = ++turn
  try {
    const [queue, jobs] = await Promise.all([ask('/queue'), listed($('state').value, shown)])
    if (mine !== turn) return
    showCounts(queue)
    showJobs(jobs.data)
    $('more').hidden = !jobs.hasMore
    document.querySelector('main').hidden = false
    notice('')
  } catch (error) {
    if (mine !== turn) return
    if (error instanceof Refused) document.querySelector('main').hidden = true
    notice(error.message, true)
  }
  if (mine === turn && !document.hidden) timer = setTimeout(refresh, REFRESH_MS)
}

/** As many as are shown, page by page. */
async function listed(states, atMost) {
  const data = []
  for (;;) {
    const query = new URLSearchParams({ all: 'true', limit: String(Math.min(100, atMost - data.length)) })
    if (states) query.set('status', states)
    if (data.length > 0) query.set('after', data.at(-1).id)
    const page = await ask(`/v1/jobs?${query}`)
    data.push(...page.data)
    if (!page.has_more || data.length >= atMost) return { data, hasMore: page.has_more }
  }
}

function showCounts({ waiting, lanes }) {
  const states = Object.keys(lanes.batch)
  const head = row('th', [`${waiting} waiting`, ...states])
  $('counts').querySelector('thead').replaceChildren(head)
  body($('counts')).replaceChildren(
    ...Object.entries(lanes).map(([lane, counts]) =>
      row('td', [lane, ...states.map((state) => counts[state])]),
    ),
  )
}

function showJobs(jobs) {
  const focused = document.activeElement?.dataset?.action
  body($('jobs')).replaceChildren(...jobs.map(jobRow))
  if (focused) document.querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus()
}

function jobRow(job) {
  const cells = [
    job.id,
    job.file_name ?? '',
    job.owner ?? '',
    job.lane,
    job.error ? `${job.status}: ${job.error.message}` : job.status,
    age(job),
    progress(job),
    job.attempts,
  ]
  const line = row('td', cells)
  line.dataset.job = job.id
  const actions = document.createElement('td')
  const isOver = ENDED.includes(job.status)
  if (!isOver) actions.append(button('Cancel', job.id, () => ask(`/v1/jobs/${job.id}/cancel`, 'POST')))
  if (isOver && job.status !== 'completed')
    actions.append(button('Retry', job.id, () => ask(`/v1/jobs/${job.id}/retry`, 'POST')))
  if (isOver) actions.append(button('Delete', job.id, () => ask(`/v1/jobs/${job.id}`, 'DELETE')))
  line.append(actions)
  return line
}

function row(kind, texts) {
  const line = document.createElement('tr')
  for (const text of texts) {
    const cell = document.createElement(kind)
    cell.textContent = String(text)
    line.append(cell)
  }
  return line
}

function button(text, id, act) {
  const made = document.createElement('button')
  made.type = 'button'
  made.textContent = text
  made.dataset.action = `${text} ${id}`
  made.addEventListener('click', () => void perform(act))
  return made
}

async function perform(act) {
  try {
    await act()
    await look()
  } catch (error) {
    await look() // it may have ended meanwhile: then the page says so
    notice(error.message, true)
  }
}

function age({ created_at }) {
  const seconds = Math.max(0, Math.floor(Date.now() / 1000) - created_at)
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
  ]
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['s', 1]
  return `${Math.floor(seconds / size)} ${unit}`
}

function progress({ percent, eta_seconds }) {
  if (percent === undefined) return ''
  return eta_seconds === undefined ? `${percent} %` : `${percent} %, ${eta_seconds} s left`
}

function notice(text, isError = false) {
  $('notice').textContent = text
  $('notice').className = isError ? 'error' : ''
}

/** Whatever has ended now; what ends meanwhile stays. */
async function clearEnded() {
  if (!confirm('Delete all jobs that have ended, with their results?')) return
  const { data } = await listed(ENDED.join(','), Number.POSITIVE_INFINITY)
  for (const { id } of data) await ask(`/v1/jobs/${id}`, 'DELETE')
}

$('door').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem(KEY, $('key').value.trim())
  $('key').value = ''
  refresh()
})
$('leave').addEventListener('click', () => {
  sessionStorage.removeItem(KEY)
  body($('jobs')).replaceChildren()
  refresh()
})
$('state').addEventListener('change', refresh)
$('clear').addEventListener('click', () => void perform(clearEnded))
$('more').addEventListener('click', () => {
  shown += PAGE_SIZE
  refresh()
})
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh()
})
refresh()
