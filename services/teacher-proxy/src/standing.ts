/** How an image with an answer stands: who paid for it. */
export type AnsweredStanding = 'cached' | 'coalesced' | 'settled';

/** How an image stands. `charged`: the teacher was paid, but what it said is no answer. */
export type Standing = 'open' | AnsweredStanding | 'charged' | 'failed' | 'unknown';

export function isAnswered(standing: Standing): standing is AnsweredStanding {
  return standing === 'cached' || standing === 'coalesced' || standing === 'settled';
}
