// Original file: proto/bbdistill/v1/teacher.proto


export interface ListTeachersRequest {
}

export interface ListTeachersRequest__Output {
}
