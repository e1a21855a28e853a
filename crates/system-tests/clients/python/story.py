"""Uses the system through stubs generated from the .proto files.

Usage: story.py COMMAND_ADDRESS QUERY_ADDRESS

Prints the id of the circle that it made. Fails at the first thing that is not as the protos
promise.
"""

import sys
import time
import uuid

import grpc
from circles.v1 import command_service_pb2 as command
from circles.v1 import command_service_pb2_grpc as command_grpc
from circles.v1 import query_service_pb2 as query
from circles.v1 import query_service_pb2_grpc as query_grpc


def refused(call, request):
    """Calls, and returns the error that must come."""
    try:
        answer = call(request)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"not refused: {request} -> {answer}")


def main(command_address, query_address):
    commands = command_grpc.CircleCommandServiceStub(grpc.insecure_channel(command_address))
    queries = query_grpc.CircleQueryServiceStub(grpc.insecure_channel(query_address))

    # A request id makes the first call safe to repeat while the service starts.
    create = command.CreateCircleRequest(
        name="football", capacity=20, request_id=str(uuid.uuid4())
    )
    for _ in range(600):
        try:
            created = commands.CreateCircle(create, timeout=10)
            break
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            time.sleep(0.05)
    assert created.version == 1
    assert commands.CreateCircle(create) == created, "a retry is answered as the first call was"
    circle = created.circle_id

    updated = commands.UpdateCircle(
        command.UpdateCircleRequest(circle_id=circle, capacity=30, version=1)
    )
    assert (updated.version, updated.sequence) == (2, created.sequence + 1)
    late = command.UpdateCircleRequest(circle_id=circle, capacity=50, version=1)
    assert refused(commands.UpdateCircle, late).code() == grpc.StatusCode.ABORTED
    last = commands.UpdateCircle(
        command.UpdateCircleRequest(circle_id=circle, name="baseball", capacity=40)
    )
    assert (last.version, last.sequence) == (3, created.sequence + 2)

    read = queries.GetCircle(
        query.GetCircleRequest(circle_id=circle, min_sequence=last.sequence), timeout=30
    )
    assert (read.circle.name, read.circle.capacity, read.circle.version) == ("baseball", 40, 3)
    assert read.sequence >= last.sequence

    history = queries.GetCircleHistory(query.GetCircleHistoryRequest(circle_id=circle))
    assert [entry.version for entry in history.entries] == [1, 2, 3]
    renamed = history.entries[2]
    assert (renamed.name_before, renamed.name_after) == ("football", "baseball")
    assert (renamed.capacity_before, renamed.capacity_after) == (30, 40)
    for version, capacity in [(1, 20), (2, 30), (3, 40)]:
        as_of = query.GetCircleAsOfRequest(circle_id=circle, version=version)
        then = queries.GetCircleAsOf(as_of).circle
        assert (then.version, then.capacity) == (version, capacity)
        at = query.GetCircleAsOfRequest(
            circle_id=circle, time=history.entries[version - 1].occurred_at
        )
        assert queries.GetCircleAsOf(at).circle == then

    watch = queries.WatchCircles(
        query.WatchCirclesRequest(from_sequence=created.sequence, circle_ids=[circle]), timeout=30
    )
    seen = []
    for message in watch:
        if message.WhichOneof("event") == "change":
            seen.append(message.change)
        if len(seen) == 2:
            watch.cancel()
            break
    assert [change.sequence for change in seen] == [updated.sequence, last.sequence]
    assert seen[1].circle == read.circle

    missing = str(uuid.uuid4())
    batch = queries.BatchGetCircles(query.BatchGetCirclesRequest(circle_ids=[missing, circle]))
    assert list(batch.circles) == [read.circle]
    assert list(batch.missing_circle_ids) == [missing]

    names = []
    for n in range(5):
        answer = commands.CreateCircle(
            command.CreateCircleRequest(name=f"tennis {n}", capacity=10 + n)
        )
        names.append(f"tennis {n}")
    request = query.ListCirclesRequest(
        page_size=2,
        filter=query.CircleFilter(name_prefix="tennis"),
        min_sequence=answer.sequence,
    )
    listed = []
    while True:
        page = queries.ListCircles(request, timeout=30)
        listed += [circle.name for circle in page.circles]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert listed == names, listed

    gone = commands.CreateCircle(command.CreateCircleRequest(name="gone", capacity=5))
    deleted = commands.DeleteCircle(
        command.DeleteCircleRequest(circle_id=gone.circle_id, reason="nobody came")
    )
    get = query.GetCircleRequest(circle_id=gone.circle_id, min_sequence=deleted.sequence)
    assert refused(queries.GetCircle, get).code() == grpc.StatusCode.NOT_FOUND
    again = command.UpdateCircleRequest(circle_id=gone.circle_id, capacity=6)
    assert refused(commands.UpdateCircle, again).code() == grpc.StatusCode.FAILED_PRECONDITION

    print(circle)


if __name__ == "__main__":
    main(*sys.argv[1:])
