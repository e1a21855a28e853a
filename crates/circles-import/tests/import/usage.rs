//! What can't begin ends at once, and does nothing.

use std::fs;

use crate::program::{Folder, run};

/// Nobody listens here.
const NOWHERE: &str = "127.0.0.1:1";

#[test]
fn wrong_arguments_and_files() {
    let folder = Folder::create();
    let good = folder.write("good.csv", "name,capacity\nfootball,20\n");
    let other = folder.write("other.csv", "title,capacity\nfootball,20\n");
    let missing = folder.path("missing.csv");
    let empty = folder.write("empty", "\n");
    let nowhere = folder.path("missing/refused.csv");
    for (arguments, complaint) in [
        (&[][..], "<FILE>"),
        (&["--colour", &good], "--colour"),
        (&["--patience", "soon", &good], "--patience"),
        (&["--patience", "0", &good], "--patience"),
        (&["--key", &good, &good], "--cert"),
        (&["--ca", &missing, &good], "missing.csv"),
        (&["--token-file", &empty, &good], "holds no token"),
        (&["--address", "not an address", &good], "host:port"),
        (&["--address", "localhost", &good], "host:port"),
        (&[&missing], "missing.csv"),
        (&[&other], "column name"),
        (&["--refused", &nowhere, &good], "No such file"),
        (&["--refused", &good, &good], "overwrite"),
    ] {
        let (status, report, notes) = run(arguments);
        assert_eq!(
            (status, report.as_str()),
            (64, ""),
            "{arguments:?}: {notes}"
        );
        assert!(notes.contains(complaint), "{arguments:?}: {notes}");
    }
    assert_eq!(fs::read(good).unwrap(), b"name,capacity\nfootball,20\n");
    assert!(!fs::exists(missing).unwrap());
}

#[test]
fn help_tells_the_exit_status() {
    let (status, help, _) = run(&["--help"]);
    assert_eq!(status, 0);
    assert!(help.contains("64  wrong arguments"), "{help}");
}

#[test]
fn a_service_that_is_away_is_waited_for_as_long_as_told() {
    let folder = Folder::create();
    let file = folder.write("circles.csv", "name,capacity\nfootball,20\n");
    let (status, report, notes) = run(&["--address", NOWHERE, "--patience", "1", &file]);
    assert_eq!((status, report.as_str()), (2, "0 created, 0 refused\n"));
    assert!(notes.contains("trying again"), "{notes}");
    assert!(
        notes.contains("not finished; run it again with --import-id 'circles.csv'"),
        "{notes}"
    );
}
