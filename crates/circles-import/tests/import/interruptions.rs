//! The service goes away in the middle of an import.

use std::io::Write as _;
use std::sync::mpsc;
use std::thread;

use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::program::{Folder, ended, program, run};
use crate::service::{Log, Service};

on_every_engine!(
    an_import_goes_on_after_interruptions,
    an_import_that_was_given_up_goes_on_when_it_is_run_again,
);

fn line(n: usize) -> String {
    format!("circle {n},20\n")
}

/// All circles of a file with so many lines, each once.
async fn assert_created(log: &Log, count: usize) {
    let mut names: Vec<_> = log
        .created()
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut expected: Vec<_> = (0..count).map(|n| format!("circle {n}")).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

async fn an_import_goes_on_after_interruptions(engine: Engine) {
    const PART: usize = 4_000;
    let log = Log::create(engine).await;
    let mut service = Service::start(&log);
    let address = service.address();
    let mut child = program(&["--address", &address, "-"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (give, parts) = mpsc::channel::<usize>();
    let writing = thread::spawn(move || {
        input.write_all(b"name,capacity\n").unwrap();
        for part in parts {
            let lines: String = (part * PART..(part + 1) * PART).map(line).collect();
            input.write_all(lines.as_bytes()).unwrap();
        }
    });
    // Each interruption comes in the middle of a part, and there is always more to come.
    for part in 0..3 {
        give.send(part).unwrap();
        log.has_created(part * PART + PART / 4).await;
        service = match part {
            1 => service.restart(&log),
            _ => service.crash_and_restart(&log),
        };
    }
    give.send(3).unwrap();
    drop(give);

    let (status, report, notes) = ended(child.wait_with_output().unwrap());
    writing.join().unwrap();
    let all = format!("{} created, 0 refused\n", 4 * PART);
    assert_eq!((status, report), (0, all), "{notes}");
    assert!(notes.matches("trying again").count() >= 3, "{notes}");
    assert_created(&log, 4 * PART).await;
}

async fn an_import_that_was_given_up_goes_on_when_it_is_run_again(engine: Engine) {
    const FIRST: usize = 2_000;
    const LINES: usize = 5_000;
    let log = Log::create(engine).await;
    let folder = Folder::create();
    let mut file = String::from("name,capacity\n");
    file.extend((0..LINES).map(line));
    let begin: String = file.split_inclusive('\n').take(1 + FIRST).collect();

    // It comes in slowly, and the service crashes on the way.
    let service = Service::start(&log);
    let address = service.address();
    let id = ["--import-id", "circles.csv"];
    let mut command = program(&["--address", &address, "--patience", "1", "-"]);
    let mut child = command.args(id).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(begin.as_bytes()).unwrap();
    log.has_created(FIRST / 4).await;
    service.crash();
    let (status, report, notes) = ended(child.wait_with_output().unwrap());
    drop(input);
    assert_eq!(status, 2, "{report}{notes}");
    assert!(notes.contains("--import-id 'circles.csv'"), "{notes}");
    assert!(log.created().await.len() <= FIRST);

    let service = Service::start(&log);
    let file = folder.write("circles.csv", file);
    let (status, report, notes) = run(&["--address", &service.address(), &file]);
    let all = format!("{LINES} created, 0 refused\n");
    assert_eq!((status, report), (0, all), "{notes}");
    assert_created(&log, LINES).await;
}
