/** What the steps after a transcript have made of it, as JSON beside the transcript, which stays as it was heard. */
import type { Afterwards, StepReport } from '../afterwards/afterwards.ts'

function afterwardsJson({ text, title, summary, model, steps }: Afterwards) {
  return {
    text,
    ...(title !== undefined && { title }),
    ...(summary !== undefined && { summary }),
    ...(model !== undefined && { model }),
    steps: steps.map(stepJson),
  }
}

export function stepJson({ step, state, message, pieces, refusedPieces }: StepReport) {
  return {
    step,
    status: state,
    ...(message !== undefined && { message }),
    ...(pieces !== undefined && { pieces }),
    ...(refusedPieces !== undefined && { refused_pieces: refusedPieces }),
  }
}

/** The member that is added to an object; none where no steps were taken. */
export function besides(afterwards: Afterwards | undefined) {
  return afterwards === undefined ? {} : { afterwards: afterwardsJson(afterwards) }
}
