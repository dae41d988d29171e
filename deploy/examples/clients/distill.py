"""A client in Python: uploads images, starts a run, watches it, downloads the student.

    pip install grpcio grpcio-tools
    python distill.py 127.0.0.1:7700 TEACHER images.raw 8x8x1 run-spec.json out

TEACHER is one that the orchestrator knows. run-spec.json, beside this file, is of 4 classes: set "classes" there to the
number that the teacher answers with.
images.raw holds whole images one after another, a byte a value (height, width, channels). The token of the orchestrator,
where it asks for one, is in BBDISTILL_TOKEN; the file of the authority that signed its certificate, where it speaks TLS, in
BBDISTILL_CA_FILE. The stubs are generated from proto/ into a temporary folder; a service of yours keeps them.
"""

import json
import os
import pathlib
import sys
import tempfile
import time

import grpc
from google.protobuf import json_format
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"
PIECE_BYTES = 2 * 1024 * 1024
# Whatever may pass: the orchestrator is being replaced, or the network is.
TRY_AGAIN = (grpc.StatusCode.UNAVAILABLE,)

stubs = tempfile.TemporaryDirectory()
files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "bbdistill" / "v1").glob("*.proto"))
if protoc.main(["protoc", f"-I{PROTO}", f"--python_out={stubs.name}", f"--grpc_python_out={stubs.name}", *files]) != 0:
    sys.exit("the stubs could not be generated")
sys.path.insert(0, stubs.name)
from bbdistill.v1 import orchestrator_pb2 as api, orchestrator_pb2_grpc  # noqa: E402


def connect(address):
    # One channel finds every address behind a name and spreads its calls over them.
    options = [
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.enable_http_proxy", 0),
    ]
    ca_file = os.environ.get("BBDISTILL_CA_FILE")
    if ca_file:
        credentials = grpc.ssl_channel_credentials(pathlib.Path(ca_file).read_bytes())
        return grpc.secure_channel(address, credentials, options)
    return grpc.insecure_channel(address, options)


def upload(stub, metadata, pixels, shape):
    height, width, channels = shape
    image_bytes = height * width * channels
    step = max(1, PIECE_BYTES // image_bytes) * image_bytes

    def messages():
        header = api.UploadHeader(shape={"height": height, "width": width, "channels": channels})
        yield api.UploadImagesRequest(header=header)
        for start in range(0, len(pixels), step):
            yield api.UploadImagesRequest(pixels=pixels[start : start + step])

    return stub.UploadImages(messages(), metadata=metadata)


def watch(stub, metadata, run_id):
    """Each event once and in order, over lost connections and restarts of the orchestrator."""
    following = 1
    while True:
        try:
            request = api.WatchRunRequest(run_id=run_id, from_sequence=following)
            for event in stub.WatchRun(request, metadata=metadata):
                following = event.sequence + 1
                yield event
            run = stub.GetRun(api.RunRequest(run_id=run_id), metadata=metadata, timeout=30)
            if run.state not in (api.RUN_STATE_PENDING, api.RUN_STATE_RUNNING):
                return
        except grpc.RpcError as error:
            if error.code() not in TRY_AGAIN:
                raise
        time.sleep(1)


def download(stub, metadata, run, folder):
    root = pathlib.Path(folder).resolve()
    for artifact in run.artifacts:
        target = (root / artifact.path).resolve()
        if root not in target.parents:
            raise ValueError(f"the run names a file outside its folder: {artifact.path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        request = api.DownloadArtifactRequest(run_id=run.id, path=artifact.path)
        with open(target, "wb") as file:
            for piece in stub.DownloadArtifact(request, metadata=metadata):
                file.write(piece.data)
        print(target)


def main():
    address, teacher, images_file, shape, spec_file, out = sys.argv[1:]
    token = os.environ.get("BBDISTILL_TOKEN")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with connect(address) as channel:
        stub = orchestrator_pb2_grpc.DistillationServiceStub(channel)
        pixels = pathlib.Path(images_file).read_bytes()
        images = upload(stub, metadata, pixels, [int(side) for side in shape.split("x")])

        spec = json_format.ParseDict(json.loads(pathlib.Path(spec_file).read_text()), api.RunSpec())
        spec.teacher, spec.images = teacher, images.id
        # The same request id is the same run: whoever is not sure asks again.
        request = api.CreateRunRequest(request_id=f"example-{images.id}", spec=spec)
        run = stub.CreateRun(request, metadata=metadata, timeout=30)
        print(f"run {run.id}")
        for event in watch(stub, metadata, run.id):
            if event.WhichOneof("event") == "stage":
                print(event.sequence, event.stage.name, event.stage.progress.done)
            elif event.WhichOneof("event") == "state":
                print(event.sequence, api.RunState.Name(event.state))

        run = stub.GetRun(api.RunRequest(run_id=run.id), metadata=metadata, timeout=30)
        if run.state != api.RUN_STATE_SUCCEEDED:
            sys.exit(f"the run ended {api.RunState.Name(run.state)}: {run.failure.message}")
        download(stub, metadata, run, out)


main()
