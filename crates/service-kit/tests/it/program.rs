//! A whole process: exit status, logs, signals. The process is this test binary, started again for one test only.

use std::{
    io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _},
    net::SocketAddr,
    process::{Command, ExitCode, Output, Stdio},
    time::Duration,
};

use service_kit::{
    config::{Invalid, Reader, Secret, parse},
    health::Readiness,
    program::{BAD_CONFIGURATION, Program},
    server::{Options, Server},
    shutdown,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

const PROGRAM: Program = Program {
    name: "example",
    version: "1.2.3",
    about: "An example.",
    subcommands: &[],
};
const SUBCOMMAND: &str = "SERVICE_KIT_TEST_SUBCOMMAND";
const LISTENING: &str = "listening on ";

struct Config {
    listen: SocketAddr,
    server: Options,
}

impl Config {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let listen = reader.required("EXAMPLE_LISTEN", parse::address);
        let secret = reader.optional_secret("EXAMPLE_SECRET", Secret::parse);
        let server = Options::read(reader);
        secret?;
        Ok(Self {
            listen: listen?,
            server: server?,
        })
    }
}

async fn serve(config: Config) -> io::Result<()> {
    let signal = shutdown::signal()?;
    let listener = TcpListener::bind(config.listen).await?;
    let readiness = Readiness::new(["test.v1.Example"]);
    let address = listener.local_addr()?;
    let server = Server::new(
        Routes::default(),
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        readiness.clone(),
        config.server,
    )
    .map_err(io::Error::other)?;
    readiness.set(true);
    writeln!(io::stdout(), "\n{LISTENING}{address}")?;
    server
        .run(listener, signal)
        .await
        .map_err(io::Error::other)?;
    Ok(())
}

/// The child process. Among the other tests, without the variable, it does nothing.
#[test]
fn child() {
    let Ok(subcommand) = std::env::var(SUBCOMMAND) else {
        return;
    };
    let code = match subcommand.as_str() {
        "check" => PROGRAM.check(|reader| reader.required("EXAMPLE_LISTEN", parse::address)),
        "tick" => PROGRAM.run(
            |_| Ok(()),
            |()| async {
                while !io::stderr().is_terminal() {
                    tracing::debug!("tick");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                io::Result::Ok(())
            },
        ),
        "panic" => PROGRAM.run(
            |_| Ok(()),
            |()| async {
                tokio::spawn(async { panic!("on purpose") })
                    .await
                    .map_err(io::Error::other)
            },
        ),
        _ => PROGRAM.run(Config::read, serve),
    };
    let codes = [
        (ExitCode::SUCCESS, 0),
        (ExitCode::from(BAD_CONFIGURATION), 64),
    ];
    let code = codes
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(1, |(_, code)| *code);
    std::process::exit(code);
}

fn process<const N: usize>(subcommand: &str, variables: [(&str, &str); N]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "program::child", "--nocapture"]);
    command
        .env(SUBCOMMAND, subcommand)
        .env("CIRCLES_LOG", "info")
        .envs(variables);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ended(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_wrong_configuration_ends_with_64_and_all_mistakes() {
    let (code, printed) = ended(&mut process(
        "serve",
        [
            ("CIRCLES_LOG_FORMAT", "xml"),
            ("CIRCLES_DRAIN_TIMEOUT", "soon"),
            ("EXAMPLE_LISTEN", "nowhere"),
            ("EXAMPLE_SECRET", "hunter2"),
            ("EXAMPLE_SECRET_FILE", "/hunter2"),
        ],
    ));
    assert_eq!(code, Some(64), "{printed}");
    let names = [
        "CIRCLES_LOG_FORMAT",
        "EXAMPLE_LISTEN",
        "EXAMPLE_SECRET",
        "CIRCLES_DRAIN_TIMEOUT",
    ];
    let lines: Vec<_> = printed
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(lines[lines.len() - names.len()..], names, "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn any_other_failure_ends_with_1_and_its_causes() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, printed) = ended(&mut process("serve", [("EXAMPLE_LISTEN", &address)]));
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("ERROR") && printed.contains("in use"),
        "{printed}"
    );
}

#[test]
fn a_panic_is_logged_in_the_format_of_the_logs() {
    let (code, printed) = ended(&mut process("panic", [("CIRCLES_LOG_FORMAT", "json")]));
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed
            .lines()
            .all(|line| line.starts_with('{') && line.ends_with('}')),
        "{printed}"
    );
    assert!(printed.contains("on purpose"), "{printed}");
}

#[test]
fn what_is_logged_follows_its_file() {
    let name = format!("circles-log-directives-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, "warn").unwrap();
    let mut command = process("tick", [("CIRCLES_LOG_FILE", path.to_str().unwrap())]);
    let mut child = command.env_remove("CIRCLES_LOG").spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first line of all is one that comes with the change.
    std::fs::write(&path, "debug").unwrap();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("changed files are in use") || first.contains("tick"));
    assert!(lines.map_while(Result::ok).any(|it| it.contains("tick")));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_check_does_not_speak_tls() {
    let variables = [
        ("EXAMPLE_LISTEN", "127.0.0.1:1"),
        ("CIRCLES_TLS_CERT", "/nowhere"),
    ];
    let (code, printed) = ended(&mut process("check", variables));
    assert_eq!(code, Some(64), "{printed}");
    let health = [
        ("EXAMPLE_LISTEN", "127.0.0.1:1"),
        ("CIRCLES_HEALTH_LISTEN", "127.0.0.1:1"),
    ];
    let (code, printed) = ended(&mut process("check", health));
    assert_eq!(code, Some(1), "{printed}");
}

#[test]
fn a_check_does_not_look_at_files_that_the_service_follows() {
    // What the service can't read when it changes it does without, and so is well.
    let (code, printed) = ended(&mut process(
        "check",
        [
            ("EXAMPLE_LISTEN", "127.0.0.1:1"),
            ("CIRCLES_HEALTH_LISTEN", "127.0.0.1:1"),
            ("CIRCLES_TLS_CERT", "/nowhere"),
            ("CIRCLES_LOG_FILE", "/nowhere"),
        ],
    ));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("cannot connect"), "{printed}");
}

#[test]
fn sigterm_and_sigint_end_a_service_with_0() {
    for signal in ["TERM", "INT"] {
        let mut command = process(
            "serve",
            [
                ("EXAMPLE_LISTEN", "127.0.0.1:0"),
                ("CIRCLES_LOG_FORMAT", "json"),
            ],
        );
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned))
            .expect("the child listens");

        let (code, printed) = ended(&mut process("check", [("EXAMPLE_LISTEN", &address)]));
        assert_eq!(code, Some(0), "{printed}");

        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        let logged = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(0), "{logged}");
        assert!(
            logged
                .lines()
                .all(|line| line.starts_with('{') && line.ends_with('}')),
            "{logged}"
        );
        assert!(
            logged.contains(&format!("SIG{signal}")) && logged.contains("drained"),
            "{logged}"
        );

        let (code, printed) = ended(&mut process("check", [("EXAMPLE_LISTEN", &address)]));
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("cannot connect"), "{printed}");
    }
}
