/**
 * The filter that puts sound where its timestamps say, as one line without holes. It decides which jumps of the timestamps
 * are silence and which are nonsense; who asks for it is not its business.
 */

/** A longer hole is no pause but a broken clock: what comes after it follows at once. Filling one takes memory, too: 115 MB. */
const LONGEST_GAP_SECONDS = 3600
/**
 * ffmpeg builds its filters anew when the sound changes its channels or rate in the middle (broadcasts do). The new ones know
 * nothing of the old, and would take the minutes before them for a hole. Sound that really starts so late starts at once.
 */
const LATEST_START_SECONDS = 60
/** Two recordings in one file (a WebM behind a WebM): the second begins at 0 again, and would be thrown away as late. */
const LONGEST_OVERLAP_SECONDS = 0.5

/**
 * Variables: 0 is what is added to the timestamps by now, 2 how many seconds this frame jumps, 3 where the last one ended,
 * 4 where this one begins. PTS is in units of TB; a frame without one follows the last.
 */
const CLOSE_UP = [
  'st(2,(PTS+ld(0)-ld(3))*TB)',
  `if(gt(ld(2),if(isnan(PREV_OUTPTS),${LATEST_START_SECONDS},${LONGEST_GAP_SECONDS}))` +
    `+lt(ld(2),-${LONGEST_OVERLAP_SECONDS}),st(0,ld(3)-PTS))`,
  'st(4,if(isnan(PTS),ld(3),PTS+ld(0)))',
  'st(3,ld(4)+S/SR/TB)',
  'ld(4)',
].join(';')

/**
 * Mono at 16 kHz before the holes are filled: ffmpeg keeps a whole hole in memory, and in six channels at 48 kHz one of more
 * than six minutes was too much for `-max_alloc`. It then said so, lost all that followed, and ended well.
 */
export const TIMELINE_FILTER = [
  `asetpts='${CLOSE_UP}'`,
  'aresample=16000',
  'aformat=sample_fmts=s16:channel_layouts=mono',
  'aresample=async=1:first_pts=0',
].join(',')

/** What ffmpeg says when it could not fill a hole; it goes on all the same. */
export const HOLE_NOT_FILLED = 'Failed to compensate for timestamp delta'
