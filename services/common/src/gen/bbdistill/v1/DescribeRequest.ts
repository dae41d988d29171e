// Original file: proto/bbdistill/v1/common.proto


export interface DescribeRequest {
}

export interface DescribeRequest__Output {
}
