// Original file: proto/bbdistill/v1/orchestrator.proto


export interface DownloadArtifactResponse {
  'data'?: (Buffer | Uint8Array | string);
}

export interface DownloadArtifactResponse__Output {
  'data': (Buffer);
}
