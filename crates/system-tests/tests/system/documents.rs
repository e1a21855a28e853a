//! The documents are true: every command in them is run, or listed with the reason why not, and what they
//! name exists.

mod blocks;
mod facts;
mod machine;
mod not_run;
mod reader;

use std::collections::BTreeMap;

use blocks::{Command, commands};
use test_support::certificates::Authority;
use test_support::mysql::Engine;
use test_support::tokens::Issuer;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::{System, turns};
use machine::Files;
use reader::Reader;

const README: &str = "README.md";
const README_JA: &str = "README.ja.md";
const OPERATING: &str = "deploy/OPERATING.md";
const DEPLOY: &str = "deploy/README.md";
const CLIENTS: &str = "crates/clients/README.md";

/// Those whose commands are for readers to paste.
const DOCUMENTS: [&str; 5] = [README, README_JA, OPERATING, DEPLOY, CLIENTS];

fn read(document: &str) -> String {
    let path = machine::place(document);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands of a document that can be run.
fn runnable(document: &str) -> Vec<Command> {
    let mut commands = commands(&read(document));
    commands.retain(|command| not_run::reason(&command.text).is_none());
    assert!(!commands.is_empty(), "{document} has no commands");
    commands
}

/// A system for a reader of documents, once it serves.
async fn system(engine: Engine, files: &Files) -> System {
    let log = files.write("log", "info\n");
    let system = System::start_with(engine, &[("CIRCLES_LOG_FILE", &log)]).await;
    for service in [
        &system.services.command,
        &system.services.query,
        &system.services.projector,
    ] {
        turns(service, ServingStatus::Serving).await;
    }
    system
}

async fn runs(document: &str, engine: Engine) {
    let files = Files::new();
    let system = system(engine, &files).await;
    let reader = Reader::new(&files, &system).await;
    reader.run(document, &runnable(document)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_tells_to_do_works() {
    let files = Files::new();
    // What it shows of TLS and tokens is for a system that asks for them.
    let (authority, issuer) = (Authority::new(), Issuer::ed25519("1"));
    let own = authority.issue("circles", &["127.0.0.1"]);
    let safe = [
        (
            "CIRCLES_TLS_CERT",
            files.write("cert.pem", &own.certificate),
        ),
        ("CIRCLES_TLS_KEY", files.write("key.pem", &own.key)),
        ("CIRCLES_JWT_KEYS", files.write("jwks", &issuer.jwks())),
    ];
    let safe: Vec<_> = safe.iter().map(|(n, value)| (*n, value.as_str())).collect();
    let safe = System::start_with(Engine::MariaDb, &safe).await;
    let log = "health turned ready=true";
    safe.services.command.logs(log).await;

    let system = system(Engine::MariaDb, &files).await;
    let mut reader = Reader::new(&files, &system).await;
    files.write("root/ca.pem", &authority.certificate());
    let token = issuer.bearer("anna", "circles.write");
    reader.set("TOKEN", token.trim_start_matches("Bearer "));
    reader.instead_of(
        "circles.example.com:50051",
        &safe.services.command.address().to_string(),
    );

    let mut commands = runnable(README);
    // "Paste the second line again with another capacity."
    let second = commands.iter().position(|it| it.text.contains("/Update"));
    let second = second.unwrap();
    let mut again = commands[second].clone();
    again.text = again.text.replace(r#""capacity":30"#, r#""capacity":40"#);
    commands.insert(second + 1, again);
    reader.expects(
        r#""min_sequence":2"#,
        "\"name\": \"football\",\n    \"capacity\": 30",
    );
    reader.expects(r#""request_id""#, "\"sequence\": \"3\"");
    reader.expects("/GetCircleAsOf", "\"capacity\": 20");
    reader.expects("circles-import", "2 created");
    reader.run(README, &commands).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_clients_readme_tells_to_do_works() {
    runs(CLIENTS, Engine::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_readme_of_deploy_tells_to_do_works() {
    runs(DEPLOY, Engine::MariaDb).await;
}

/// With MySQL, as its `mysqldump` is what the guide uses.
mod mysql {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_operators_guide_tells_to_do_works() {
        let files = Files::new();
        let system = system(Engine::MySql, &files).await;
        for n in 0..20 {
            crate::client::create(&system.services, &format!("circle {n}")).await;
        }
        system.assert_consistent().await;
        let mut reader = Reader::new(&files, &system).await;
        let mut commands = runnable(OPERATING);
        // Two events are lost before it tells how to find a hole.
        let find = commands.iter().position(|it| it.text.contains("LEAD("));
        let find = find.unwrap();
        let mut lose = commands[find].clone();
        lose.text =
            "mysql circles -e 'DELETE FROM circle_events WHERE sequence IN (2, 3)'".to_owned();
        commands.insert(find, lose);
        reader.expects("LEAD(", "1\t4");
        reader.expects("SELECT last_sequence, (", "20\t20\t20");
        reader.expects(
            "127.0.0.1:50073 circles.admin.v1.ProjectorAdminService/Audit",
            "\"done\": true",
        );
        reader.run(OPERATING, &commands).await;
        assert_eq!(test_support::judge::count_events(&system.log).await, 20);
        // The last thing that it tells is to lose all of Redis.
        system.assert_consistent().await;
        system
            .services
            .command
            .logs("changed files are in use what=\"log directives\"")
            .await;
    }
}

/// So that those of one language alone need to be run.
#[test]
fn both_languages_have_the_same_commands() {
    let texts = |document| -> Vec<String> {
        let commands = commands(&read(document)).into_iter();
        commands.map(|command| command.text).collect()
    };
    assert_eq!(texts(README), texts(README_JA));
}

#[test]
fn every_command_that_is_listed_as_not_run_is_in_a_document() {
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for document in DOCUMENTS {
        for command in commands(&read(document)) {
            if let Some((text, _)) = not_run::entry(&command.text) {
                places.insert(text, document);
            }
        }
    }
    for (text, reason) in not_run::NOT_RUN {
        assert!(
            places.contains_key(text),
            "no document has it any more: {text}"
        );
        assert!(!reason.is_empty());
        facts::assert_names_what_exists(text);
    }
}
