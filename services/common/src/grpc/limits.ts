/** Largest message either way; pixels travel in pieces of at most 3 MiB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Calls that one connection may have open. */
export const DEFAULT_MAX_STREAMS_PER_CONNECTION = 1_000;
/** How long a caller that is to send the next message of a stream may say nothing. */
export const DEFAULT_STREAM_IDLE_TIMEOUT_MS = 300_000;
/** After which connections are renewed, so that clients find new replicas. */
export const DEFAULT_MAX_CONNECTION_AGE_MS = 600_000;
export const SERVER_KEEPALIVE_TIME_MS = 60_000;
export const SERVER_KEEPALIVE_TIMEOUT_MS = 20_000;
export const CLIENT_KEEPALIVE_TIME_MS = 30_000;
export const CLIENT_KEEPALIVE_TIMEOUT_MS = 10_000;
