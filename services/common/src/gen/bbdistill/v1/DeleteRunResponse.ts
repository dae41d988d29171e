// Original file: proto/bbdistill/v1/orchestrator.proto


export interface DeleteRunResponse {
}

export interface DeleteRunResponse__Output {
}
