//! Services that ask for certificates and tokens.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::json;
use service_kit::{auth, server, tls};
use test_support::certificates::Authority;
use test_support::mysql::Engine;
use test_support::tokens::Issuer;

use crate::program::{Folder, program, run};
use crate::service::{Log, PATIENCE, Service};

/// What a client shows, in files.
struct Secured {
    folder: Folder,
    issuer: Issuer,
    service: Service,
}

impl Secured {
    fn start(log: &Log) -> Self {
        let folder = Folder::create();
        let (authority, issuer) = (Authority::new(), Issuer::ed25519("1"));
        let [own, client] =
            ["localhost", "client"].map(|name| authority.issue(name, &["localhost"]));
        let write = |name: &str, content: &str| PathBuf::from(folder.write(name, content));
        let ca = write("ca.pem", &authority.certificate());
        write("client.pem", &client.certificate);
        write("client.key", &client.key);
        let options = server::Options {
            tls: Some(tls::Options {
                certificate: write("own.pem", &own.certificate),
                key: write("own.key", &own.key),
                client_ca: Some(ca),
            }),
            auth: Some(auth::Options {
                keys: write("jwks.json", &issuer.jwks()),
                issuer: None,
                audience: None,
            }),
            ..server::Options::default()
        };
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let service = Service::start_with(log, nowhere, options);
        Self {
            folder,
            issuer,
            service,
        }
    }

    /// With everything but the token.
    fn arguments(&self) -> Vec<String> {
        let port = self.service.address();
        let port = port.rsplit_once(':').unwrap().1;
        let mut arguments = vec!["--address".to_owned(), format!("localhost:{port}")];
        for (name, file) in [
            ("--ca", "ca.pem"),
            ("--cert", "client.pem"),
            ("--key", "client.key"),
        ] {
            arguments.extend([name.to_owned(), self.folder.path(file)]);
        }
        arguments
    }

    fn token(&self, expires_in: i64) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let exp = i64::try_from(now.unwrap().as_secs()).unwrap() + expires_in;
        let claims = json!({"sub": "anna", "scope": "circles.write", "exp": exp});
        self.issuer.token(&claims)
    }
}

fn texts(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_a_token_are_shown() {
    let log = Log::create(Engine::MariaDb).await;
    let secured = Secured::start(&log);
    let file = secured
        .folder
        .write("good.csv", "name,capacity\nfootball,20\n");
    let token = secured.folder.write("token", secured.token(60) + "\n");

    let mut arguments = secured.arguments();
    arguments.push(file);
    let (status, _, notes) = run(&texts(&arguments));
    assert_eq!(status, 2, "{notes}");
    assert!(notes.contains("Unauthenticated"), "{notes}");
    assert_eq!(log.created().await, []);

    arguments.extend(["--token-file".to_owned(), token]);
    let (status, report, notes) = run(&texts(&arguments));
    assert_eq!(status, 0, "{report}{notes}");
    assert_eq!(log.created().await, [("football".to_owned(), 20)]);
    assert!(!notes.contains(&secured.token(60)[..20]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_meanwhile_is_read_again() {
    let log = Log::create(Engine::MariaDb).await;
    let secured = Secured::start(&log);
    // No longer good, even with what clocks may differ by.
    let token = secured.folder.write("token", secured.token(-3_600));
    let file = secured
        .folder
        .write("good.csv", "name,capacity\nfootball,20\n");
    let mut arguments = secured.arguments();
    arguments.extend(["--token-file".to_owned(), token.clone(), file]);
    let mut child = program(&texts(&arguments)).spawn().unwrap();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    // It is told that it was turned away, and goes on.
    let told = tokio::task::spawn_blocking(move || {
        let told = notes.any(|line| line.unwrap().contains("trying again"));
        (told, notes)
    });
    let (told, notes) = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    assert!(told);
    assert_eq!(log.created().await, []);
    fs::write(token, secured.token(60)).unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        notes.for_each(drop);
        child.wait().unwrap()
    });
    let status = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(status.unwrap().code(), Some(0));
    assert_eq!(log.created().await, [("football".to_owned(), 20)]);
}
