/** Counts of queries in the order in which people are shown them; the settled ones are billed - unknown. */
export const QUERY_COUNTS = [
  'asked',
  'cached',
  'coalesced',
  'billed',
  'failed',
  'retried',
  'unresolved',
  'unknown',
  'reasked',
  'abstained',
  'completed',
  'dropped',
] as const;

export type QueryCountName = (typeof QUERY_COUNTS)[number];
