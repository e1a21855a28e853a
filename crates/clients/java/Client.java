import circles.v1.Circle;
import circles.v1.CircleCommandServiceGrpc;
import circles.v1.CircleCommandServiceGrpc.CircleCommandServiceBlockingStub;
import circles.v1.CircleFilter;
import circles.v1.CircleQueryServiceGrpc;
import circles.v1.CircleQueryServiceGrpc.CircleQueryServiceBlockingStub;
import circles.v1.CreateCircleRequest;
import circles.v1.DeleteCircleRequest;
import circles.v1.GetCircleHistoryRequest;
import circles.v1.GetCircleRequest;
import circles.v1.ListCirclesRequest;
import circles.v1.UpdateCircleRequest;
import circles.v1.WatchCirclesRequest;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Commands and queries from Java, with generated stubs and what a program in earnest needs.
 *
 * <p>Usage: java Client [COMMAND_ADDRESS [QUERY_ADDRESS]]
 */
public final class Client {
    /** For a call with all its retries. A call without a deadline may wait for ever. */
    private static final long DEADLINE_SECONDS = 10;

    /** The channel tries again by itself: as soon as the service asks for it, else after this backoff. */
    private static final Map<String, ?> RETRIES = Map.of("methodConfig", List.of(Map.of(
            "name", List.of(Map.of()), // every method
            "retryPolicy", Map.of(
                    "maxAttempts", 5.0,
                    "initialBackoff", "0.1s",
                    "maxBackoff", "2s",
                    "backoffMultiplier", 2.0,
                    "retryableStatusCodes", List.of("UNAVAILABLE", "RESOURCE_EXHAUSTED")))));

    private final CircleCommandServiceBlockingStub commands;
    private final CircleQueryServiceBlockingStub queries;

    private Client(ManagedChannel commands, ManagedChannel queries) {
        this.commands = CircleCommandServiceGrpc.newBlockingStub(commands);
        this.queries = CircleQueryServiceGrpc.newBlockingStub(queries);
    }

    private static ManagedChannel connect(String address) {
        return ManagedChannelBuilder.forTarget(address)
                .usePlaintext()
                .defaultServiceConfig(RETRIES)
                .enableRetry()
                .build();
    }

    /** A deadline begins when it is set, so each call gets its own. */
    private CircleCommandServiceBlockingStub commands() {
        return commands.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    private CircleQueryServiceBlockingStub queries() {
        return queries.withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    /** What a failure says to programs, such as an ErrorInfo. */
    private static <D extends Message> Optional<D> detail(StatusRuntimeException failure, Class<D> type) {
        for (var packed : StatusProto.fromThrowable(failure).getDetailsList()) {
            if (packed.is(type)) {
                try {
                    return Optional.of(packed.unpack(type));
                } catch (InvalidProtocolBufferException malformed) {
                    failure.addSuppressed(malformed);
                }
            }
        }
        return Optional.empty();
    }

    /**
     * Makes a command safe to repeat, for the channel's retries as well: a second one under the same id changes
     * nothing and gets the answer of the first one.
     */
    private static String requestId() {
        return UUID.randomUUID().toString();
    }

    private static CreateCircleRequest creation(String name, int capacity) {
        return CreateCircleRequest.newBuilder()
                .setName(name)
                .setCapacity(capacity)
                .setRequestId(requestId())
                .build();
    }

    /** Every field that breaks a rule is named, for a form to show beside it. */
    private void showBadFields() {
        try {
            commands().createCircle(creation(" ", 2));
        } catch (StatusRuntimeException failure) {
            if (failure.getStatus().getCode() != Code.INVALID_ARGUMENT) throw failure;
            for (var violation : detail(failure, BadRequest.class).orElseThrow().getFieldViolationsList()) {
                System.out.printf("invalid %s: %s%n", violation.getField(), violation.getDescription());
            }
        }
    }

    /** Changes a circle that is as the caller saw it, or as it has become meanwhile; the sequence of the change. */
    private long update(String circleId, int version, int capacity) {
        while (true) {
            var request = UpdateCircleRequest.newBuilder()
                    .setCircleId(circleId)
                    .setVersion(version)
                    .setCapacity(capacity)
                    .setRequestId(requestId())
                    .build();
            try {
                var updated = commands().updateCircle(request);
                System.out.printf("updated: version %d, sequence %d%n", updated.getVersion(), updated.getSequence());
                return updated.getSequence();
            } catch (StatusRuntimeException failure) {
                if (failure.getStatus().getCode() != Code.ABORTED) throw failure;
                // Somebody else was faster. A program in earnest reads the circle again here, and decides whether
                // its change still makes sense.
                var info = detail(failure, ErrorInfo.class).orElseThrow(() -> failure);
                version = Integer.parseInt(info.getMetadataOrThrow("present_version"));
                System.out.printf("conflict: the circle has version %d now%n", version);
            }
        }
    }

    /** Adds all circles with such a name; the sequence that a watch goes on from. */
    private long listAll(String prefix, long minSequence, Map<String, Circle> circles) {
        var request = ListCirclesRequest.newBuilder()
                .setPageSize(2)
                .setFilter(CircleFilter.newBuilder().setNamePrefix(prefix))
                .setMinSequence(minSequence);
        Long sequence = null;
        do {
            var page = queries().listCircles(request.build());
            var names = page.getCirclesList().stream().map(Circle::getName).collect(Collectors.joining(", "));
            System.out.println("page: " + names);
            page.getCirclesList().forEach(circle -> circles.put(circle.getCircleId(), circle));
            // Of the first page: what changed while the others were read is then told again.
            if (sequence == null) sequence = page.getSequence();
            request.setPageToken(page.getNextPageToken());
        } while (!request.getPageToken().isEmpty());
        return sequence;
    }

    /**
     * Keeps the circles as they become, until a change with the sequence {@code until}.
     *
     * <p>After an interruption (UNAVAILABLE, RESOURCE_EXHAUSTED, the deadline) watch again from the last sequence
     * received. OUT_OF_RANGE: that is too long ago; list again.
     */
    private void watch(Map<String, Circle> circles, long from, long until) {
        var request = WatchCirclesRequest.newBuilder()
                .setFromSequence(from)
                .addAllCircleIds(circles.keySet())
                .build();
        var messages = queries().watchCircles(request);
        while (messages.hasNext()) {
            var message = messages.next();
            if (!message.hasChange()) continue; // It tells how far the watch has come.
            var change = message.getChange();
            if (change.hasCircle()) circles.put(change.getCircleId(), change.getCircle());
            else circles.remove(change.getCircleId());
            System.out.printf(
                    "watched: %s, sequence %d, %d circles%n", change.getType(), change.getSequence(), circles.size());
            if (change.getSequence() >= until) return;
        }
    }

    private void run() {
        var prefix = "example " + requestId().substring(0, 8) + " ";

        showBadFields();

        var request = creation(prefix + "football", 20);
        var football = commands().createCircle(request);
        System.out.printf(
                "created: %s, version %d, sequence %d%n",
                football.getCircleId(), football.getVersion(), football.getSequence());
        var again = commands().createCircle(request);
        System.out.printf(
                "again: %s, version %d, sequence %d%n",
                again.getCircleId(), again.getVersion(), again.getSequence());
        var circleId = football.getCircleId();

        update(circleId, 1, 30);
        var updated = update(circleId, 1, 40);

        // With the sequence of a command's answer a query waits until the change is visible.
        var get = GetCircleRequest.newBuilder().setCircleId(circleId).setMinSequence(updated).build();
        var circle = queries().getCircle(get).getCircle();
        System.out.printf(
                "read: %s, capacity %d, version %d%n", circle.getName(), circle.getCapacity(), circle.getVersion());

        commands().createCircle(creation(prefix + "baseball", 25));
        var handball = commands().createCircle(creation(prefix + "handball", 15));
        var circles = new HashMap<String, Circle>();
        var sequence = listAll(prefix, handball.getSequence(), circles);

        var history = GetCircleHistoryRequest.newBuilder().setCircleId(circleId).build();
        for (var entry : queries().getCircleHistory(history).getEntriesList()) {
            System.out.printf(
                    "history: %s, version %d, capacity %d%n",
                    entry.getType(), entry.getVersion(), entry.getCapacityAfter());
        }

        var deletion = DeleteCircleRequest.newBuilder()
                .setCircleId(handball.getCircleId())
                .setVersion(1)
                .setReason("too few members")
                .setRequestId(requestId())
                .build();
        var deleted = commands().deleteCircle(deletion);
        // A watch ends with its context.
        try (var context = Context.current().withCancellation()) {
            context.run(() -> watch(circles, sequence, deleted.getSequence()));
        }
    }

    public static void main(String[] arguments) {
        var commands = connect(arguments.length > 0 ? arguments[0] : "127.0.0.1:50051");
        var queries = connect(arguments.length > 1 ? arguments[1] : "127.0.0.1:50052");
        try {
            new Client(commands, queries).run();
        } catch (StatusRuntimeException failure) {
            var status = failure.getStatus();
            var reason = detail(failure, ErrorInfo.class).map(ErrorInfo::getReason).orElse("no reason");
            System.err.printf("%s (%s): %s%n", status.getCode(), reason, status.getDescription());
            System.exit(1);
        } finally {
            commands.shutdownNow();
            queries.shutdownNow();
        }
    }
}
