// Original file: proto/bbdistill/v1/orchestrator.proto


export interface DownloadArtifactRequest {
  'runId'?: (string);
  'path'?: (string);
}

export interface DownloadArtifactRequest__Output {
  'runId': (string);
  'path': (string);
}
