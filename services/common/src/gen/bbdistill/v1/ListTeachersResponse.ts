// Original file: proto/bbdistill/v1/teacher.proto


export interface ListTeachersResponse {
  'names'?: (string)[];
}

export interface ListTeachersResponse__Output {
  'names': (string)[];
}
