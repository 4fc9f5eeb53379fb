import { describe, expect, test } from 'vitest'
import { DiskRoom, diskRoomOf, isDiskFull } from '../../src/upload/disk-room.ts'
import { answersOf, chunk, chunkedHead, END, FILE, post, startReceiver } from './socket.ts'

const MIB = 1024 ** 2
const NO_ROOM = { code: 'insufficient_storage', status: 507 }

/** A disk of which the test says what is free. */
function disk(freeMib: number, reserveMib: number) {
  const state = { freeBytes: freeMib * MIB }
  const room = new DiskRoom({ reserveBytes: reserveMib * MIB, freeBytes: async () => state.freeBytes })
  return { state, room }
}

describe('a body', () => {
  test.each([
    ['that just fits is let in', 60, { status: 'fulfilled' }],
    ['that would eat into the reserve is not', 61, { status: 'rejected', reason: NO_ROOM }],
  ])('%s', async (_what, mib, outcome) => {
    const { room } = disk(100, 40)

    expect(await Promise.allSettled([room.claim(mib * MIB)])).toMatchObject([outcome])
  })

  test('does not get the room that another has been promised, until that one has let go of it', async () => {
    const { room } = disk(100, 10)
    const [first, second] = await Promise.allSettled([room.claim(50 * MIB), room.claim(50 * MIB)])

    expect([first.status, second.status].toSorted()).toEqual(['fulfilled', 'rejected'])
    for (const claim of [first, second]) if (claim.status === 'fulfilled') claim.value[Symbol.dispose]()
    ;(await room.claim(90 * MIB))[Symbol.dispose]()
  })

  test('that has been written is the disk’s to count, not ours', async () => {
    const { room, state } = disk(100, 10)
    const claim = await room.claim(50 * MIB)
    await claim.take(50 * MIB)
    state.freeBytes = 50 * MIB

    ;(await room.claim(40 * MIB))[Symbol.dispose]()
    claim[Symbol.dispose]()
    await expect(room.claim(41 * MIB)).rejects.toMatchObject(NO_ROOM)
  })

  test('without a length is asked again as it grows', async () => {
    const { room, state } = disk(200, 10)
    using claim = await room.claim(undefined)
    await claim.take(60 * MIB)
    state.freeBytes = 50 * MIB

    await claim.take(4 * MIB)
    await expect(claim.take(1)).rejects.toMatchObject(NO_ROOM)
  })
})

test('a reserve of 0 asks no disk', async () => {
  await expect(diskRoomOf('/nowhere', 0).claim(Number.MAX_SAFE_INTEGER)).resolves.toBeDefined()
})

test('a real disk says what is free', async () => {
  ;(await diskRoomOf('/', 1).claim(1))[Symbol.dispose]()
  await expect(diskRoomOf('/', 1).claim(2 ** 60)).rejects.toMatchObject(NO_ROOM)
})

test.each(['ENOSPC', 'EDQUOT'])('%s is a full disk', (code) => {
  expect(isDiskFull(Object.assign(new Error('write'), { code }))).toBe(true)
})

describe('an upload', () => {
  test('that does not fit is refused before its body is read', async () => {
    const { room } = disk(100, 100)
    await using server = await startReceiver({ disk: room })
    const socket = server.connect()

    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9999\r\n\r\n',
    )

    expect(await answersOf(socket)).toMatchObject([NO_ROOM])
    expect(await server.leftovers()).toEqual([])
  })

  test('that outgrows the disk on its way is refused, and leaves nothing', async () => {
    const { room, state } = disk(74, 10)
    await using server = await startReceiver({ maxBodyBytes: 100 * MIB, disk: room })
    const socket = server.connect()
    const answers = answersOf(socket)

    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')
    state.freeBytes = 0
    for (let sent = 0; sent < 70; sent++) socket.write(chunk('z'.repeat(MIB)))
    socket.write(chunk(`\r\n${END}`) + chunk(''))

    expect(await answers).toMatchObject([NO_ROOM])
    expect(await server.leftovers()).toEqual([])
  })

  test('that is gone has given its room back', async () => {
    const { room } = disk(100, 99)
    await using server = await startReceiver({ disk: room })

    for (let sent = 0; sent < 3; sent++) {
      expect(await post(server, FILE.slice(0, -9))).toMatchObject({ status: 400 })
      expect(await post(server, `${FILE}${END}${'z'.repeat(600_000)}`)).toMatchObject({ status: 200 })
    }
  })
})
