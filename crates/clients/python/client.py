"""Commands and queries from Python, with generated stubs and what a program in earnest needs.

Usage: client.py [COMMAND_ADDRESS [QUERY_ADDRESS]]
"""

import json
import sys
import uuid

import grpc
from circles.v1 import command_service_pb2 as command
from circles.v1 import command_service_pb2_grpc as command_grpc
from circles.v1 import query_service_pb2 as query
from circles.v1 import query_service_pb2_grpc as query_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

# In seconds, for a call with all its retries. A call without a deadline may wait for ever.
DEADLINE = 10

# The channel tries again by itself: as soon as the service asks for it, else after this backoff.
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],  # every method
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}


def channel(address):
    return grpc.insecure_channel(address, [("grpc.service_config", json.dumps(RETRIES))])


def request_id():
    """Makes a command safe to repeat, for the channel's retries as well: a second one under the
    same id changes nothing and gets the answer of the first one."""
    return str(uuid.uuid4())


def details(error):
    """What a failure says to programs, by the name of its type, such as ErrorInfo."""
    found = {}
    status = rpc_status.from_call(error)
    for packed in status.details if status else []:
        name = packed.type_url.rpartition(".")[2]
        detail = getattr(error_details_pb2, name)()
        packed.Unpack(detail)
        found[name] = detail
    return found


def create(commands, name, capacity):
    request = command.CreateCircleRequest(name=name, capacity=capacity, request_id=request_id())
    return request, commands.CreateCircle(request, timeout=DEADLINE)


def show_bad_fields(commands):
    """Every field that breaks a rule is named, for a form to show beside it."""
    try:
        create(commands, " ", 2)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
            raise
        for violation in details(error)["BadRequest"].field_violations:
            print(f"invalid {violation.field}: {violation.description}")


def update(commands, circle_id, version, capacity):
    """Changes a circle that is as the caller saw it, or as it has become meanwhile."""
    while True:
        request = command.UpdateCircleRequest(
            circle_id=circle_id, version=version, capacity=capacity, request_id=request_id()
        )
        try:
            updated = commands.UpdateCircle(request, timeout=DEADLINE)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ABORTED:
                raise
            # Somebody else was faster. A program in earnest reads the circle again here, and
            # decides whether its change still makes sense.
            version = int(details(error)["ErrorInfo"].metadata["present_version"])
            print(f"conflict: the circle has version {version} now")
        else:
            print(f"updated: version {updated.version}, sequence {updated.sequence}")
            return updated


def list_all(queries, prefix, min_sequence):
    """All circles with such a name, and the sequence that a watch goes on from."""
    circles, sequence, token = {}, None, ""
    while True:
        request = query.ListCirclesRequest(
            page_size=2,
            page_token=token,
            filter=query.CircleFilter(name_prefix=prefix),
            min_sequence=min_sequence,
        )
        page = queries.ListCircles(request, timeout=DEADLINE)
        print("page:", ", ".join(circle.name for circle in page.circles))
        circles.update((circle.circle_id, circle) for circle in page.circles)
        # Of the first page: what changed while the others were read is then told again.
        sequence = page.sequence if sequence is None else sequence
        token = page.next_page_token
        if not token:
            return circles, sequence


def watch(queries, circles, sequence, until):
    """Keeps the circles as they become, until a change with this sequence."""
    request = query.WatchCirclesRequest(from_sequence=sequence, circle_ids=list(circles))
    messages = queries.WatchCircles(request, timeout=DEADLINE)
    # After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED, the deadline) watch again from the
    # last sequence received. OUT_OF_RANGE: that is too long ago; list again.
    for message in messages:
        if message.WhichOneof("event") == "progress":
            continue
        change = message.change
        if change.HasField("circle"):
            circles[change.circle_id] = change.circle
        else:
            circles.pop(change.circle_id, None)
        kind = query.CircleChangeType.Name(change.type)
        print(f"watched: {kind}, sequence {change.sequence}, {len(circles)} circles")
        if change.sequence >= until:
            messages.cancel()
            break


def main(command_address="127.0.0.1:50051", query_address="127.0.0.1:50052"):
    commands = command_grpc.CircleCommandServiceStub(channel(command_address))
    queries = query_grpc.CircleQueryServiceStub(channel(query_address))
    prefix = f"example {uuid.uuid4().hex[:8]} "

    show_bad_fields(commands)

    request, football = create(commands, prefix + "football", 20)
    print(f"created: {football.circle_id}, version {football.version}, sequence {football.sequence}")
    again = commands.CreateCircle(request, timeout=DEADLINE)
    print(f"again: {again.circle_id}, version {again.version}, sequence {again.sequence}")
    circle_id = football.circle_id

    update(commands, circle_id, version=1, capacity=30)
    updated = update(commands, circle_id, version=1, capacity=40)

    # With the sequence of a command's answer a query waits until the change is visible.
    request = query.GetCircleRequest(circle_id=circle_id, min_sequence=updated.sequence)
    circle = queries.GetCircle(request, timeout=DEADLINE).circle
    print(f"read: {circle.name}, capacity {circle.capacity}, version {circle.version}")

    create(commands, prefix + "baseball", 25)
    _, handball = create(commands, prefix + "handball", 15)
    circles, sequence = list_all(queries, prefix, handball.sequence)

    request = query.GetCircleHistoryRequest(circle_id=circle_id)
    for entry in queries.GetCircleHistory(request, timeout=DEADLINE).entries:
        kind = query.CircleChangeType.Name(entry.type)
        print(f"history: {kind}, version {entry.version}, capacity {entry.capacity_after}")

    request = command.DeleteCircleRequest(
        circle_id=handball.circle_id, version=1, reason="too few members", request_id=request_id()
    )
    deleted = commands.DeleteCircle(request, timeout=DEADLINE)
    watch(queries, circles, sequence, until=deleted.sequence)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        reason = details(error)["ErrorInfo"].reason if "ErrorInfo" in details(error) else "no reason"
        sys.exit(f"{error.code().name} ({reason}): {error.details()}")
