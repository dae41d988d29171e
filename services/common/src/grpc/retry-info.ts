import type { Metadata } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

const DETAILS_KEY = 'grpc-status-details-bin';
const RETRY_INFO_URL = 'type.googleapis.com/google.rpc.RetryInfo';
const NANOS_PER_MS = 1_000_000;

// google.rpc.Status and RetryInfo, of which only the wait is of interest; field numbers are the public ones.
const root = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { type_url: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
    Status: {
      fields: {
        code: { type: 'int32', id: 1 },
        message: { type: 'string', id: 2 },
        details: { rule: 'repeated', type: 'Any', id: 3 },
      },
    },
    Duration: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
    RetryInfo: { fields: { retry_delay: { type: 'Duration', id: 1 } } },
  },
});
const [Status, RetryInfo] = [root.lookupType('Status'), root.lookupType('RetryInfo')];

/** `google.rpc.RetryInfo` in the trailers: how long any gRPC client is asked to wait. */
export function setRetryInfo(metadata: Metadata, code: number, message: string, retryAfterMs: number): void {
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = Math.round((retryAfterMs - seconds * 1000) * NANOS_PER_MS);
  const value = RetryInfo.encode(RetryInfo.fromObject({ retry_delay: { seconds, nanos } })).finish();
  const status = { code, message, details: [{ type_url: RETRY_INFO_URL, value }] };
  metadata.set(DETAILS_KEY, Buffer.from(Status.encode(Status.fromObject(status)).finish()));
}

/** What a server asks its callers to wait, in milliseconds; undefined where it doesn't, or says it unreadably. */
export function readRetryInfo(metadata: Metadata | undefined): number | undefined {
  const details = metadata?.get(DETAILS_KEY)[0];
  if (!(details instanceof Uint8Array)) return undefined;
  try {
    const status = Status.toObject(Status.decode(details)) as { details?: { type_url?: string; value?: Uint8Array }[] };
    const info = status.details?.find(({ type_url: url }) => url === RETRY_INFO_URL);
    if (!info?.value) return undefined;
    const { retry_delay: delay } = RetryInfo.toObject(RetryInfo.decode(info.value), { longs: Number }) as {
      retry_delay?: { seconds?: number; nanos?: number };
    };
    const waitMs = (delay?.seconds ?? 0) * 1000 + (delay?.nanos ?? 0) / NANOS_PER_MS;
    return waitMs >= 0 ? waitMs : undefined;
  } catch {
    return undefined;
  }
}
