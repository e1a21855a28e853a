//! The commands that no test runs, and why.

const ELSEWHERE: &str = "needs a package registry";
const ITSELF: &str = "is what runs the tests, or would run beside them on fixed ports and data";
const NO_DOCKER: &str = "needs Docker";
const NO_CLUSTER: &str = "needs a Kubernetes; .ci/run checks the manifests";
const ITS_OWN: &str = "is for what pip installs; the tests have that in an environment of theirs";
const NOT_HERE: &str =
    "is a program that no test has; prometheus.yml and the rules are checked by metrics.rs";
const GO: &str =
    "needs the Go module proxy; clients/go.rs builds and runs the example from Debian's packages";
const JAVA: &str =
    "needs Debian's packages installed; clients/java.rs does the same with unpacked ones";

/// Each as it is in the document, with single spaces.
pub(super) const NOT_RUN: &[(&str, &str)] = &[
    ("make run", ITSELF),
    ("make test", ITSELF),
    ("make test ARGS=\"-p shared-domain\"", ITSELF),
    ("make torture SECONDS=600 SEED=7", ITSELF),
    ("python3 -m venv .venv && . .venv/bin/activate", ITS_OWN),
    ("pip install grpcio-tools grpcio-status", ELSEWHERE),
    ("npm ci", ELSEWHERE),
    (
        "go install google.golang.org/protobuf/cmd/protoc-gen-go@latest google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest",
        ELSEWHERE,
    ),
    (
        "protoc -I ../../../proto --go_out=. --go_opt=module=circles --go-grpc_out=. --go-grpc_opt=module=circles ../../../proto/circles/v1/*.proto",
        GO,
    ),
    ("go mod tidy && go run .", GO),
    (
        "google=$(python -c 'import os, google.rpc.status_pb2 as it; print(os.path.dirname(it.__file__) + \"/../..\")')",
        JAVA,
    ),
    ("mkdir -p stubs", JAVA),
    (
        "protoc -I ../../../proto -I \"$google\" --plugin=protoc-gen-grpc-java=\"$(command -v grpc_java_plugin)\" --java_out=stubs --grpc-java_out=stubs circles/v1/{circle,command_service,query_service}.proto google/rpc/{status,error_details}.proto",
        JAVA,
    ),
    (
        "javac -cp '/usr/share/java/*' -sourcepath stubs -d classes Client.java",
        JAVA,
    ),
    ("java -cp 'classes:/usr/share/java/*' Client", JAVA),
    (
        "for name in command-service projector query-service circles-import; do docker build -f deploy/docker/Dockerfile --target $name -t circles/$name:0.1.0 --build-arg REVISION=\"$(git rev-parse HEAD)\" . done",
        NO_DOCKER,
    ),
    (
        "docker compose -f deploy/compose.yaml up --build --detach",
        NO_DOCKER,
    ),
    (
        "docker compose -f deploy/compose.yaml exec projector projector check",
        NO_DOCKER,
    ),
    (
        "docker compose -f deploy/compose.yaml exec mysql sh -c 'MYSQL_PWD=$(cat /run/secrets/mysql-root) mysql --user=root circles'",
        NO_DOCKER,
    ),
    (
        "docker compose -f deploy/compose.yaml exec redis sh -c 'REDISCLI_AUTH=$(cat /run/secrets/redis-administrator) valkey-cli'",
        NO_DOCKER,
    ),
    ("kubectl create namespace circles", NO_CLUSTER),
    (
        "for name in servers migrate command projector query; do kubectl -n circles create secret generic circles-$name --from-file=deploy/secrets/$name done",
        NO_CLUSTER,
    ),
    (
        "kubectl apply -k deploy/kubernetes/overlays/local",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles port-forward service/command-service 50051 &",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles port-forward service/query-service 50052 &",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles port-forward deployment/projector 50053 &",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles exec deployment/command-service -- command-service check",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles get pods -l app.kubernetes.io/name=projector",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles port-forward pod/NAME 50053 &",
        NO_CLUSTER,
    ),
    (
        "grpcurl -cacert ca.pem -authority command-service.circles.svc.cluster.local -H \"authorization: Bearer $TOKEN\" 127.0.0.1:50053 circles.admin.v1.ProjectorAdminService/GetStatus",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles scale deployment command-service projector --replicas=0",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles scale deployment projector --replicas=2",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles scale deployment command-service --replicas=3",
        NO_CLUSTER,
    ),
    (
        "kubectl -n circles delete job circles-migrate --ignore-not-found",
        NO_CLUSTER,
    ),
    (
        "prometheus --config.file=deploy/observability/prometheus.yml",
        NOT_HERE,
    ),
];

/// The entry of a command, if it has one.
pub(super) fn entry(command: &str) -> Option<&'static (&'static str, &'static str)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let text = words.join(" ");
    NOT_RUN.iter().find(|(listed, _)| *listed == text)
}

/// Why it is not run.
pub(super) fn reason(command: &str) -> Option<&'static str> {
    entry(command).map(|(_, reason)| *reason)
}
