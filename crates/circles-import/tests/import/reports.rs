//! What is created, what is refused, and how that is told.

use std::fs;
use std::io::Write as _;

use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::program::{Folder, ended, program, run};
use crate::service::{Log, Service};

on_every_engine!(
    every_line_is_created_or_reported_and_none_is_created_twice,
    standard_input_is_new_unless_it_has_an_id,
    a_large_file_is_imported_in_its_order,
);

const FILE: &[u8] = "capacity,notes,name\n\
    20,,football\n\
    2,too small,tennis\n\
    20\n\
    many,,hockey\n\
    32768,,\"  \"\n\
    \n\
    30,\"two\nlines\",\" 将棋, \"\"shogi\"\"\"\n\
    20,,\"golf\n\
    99999999999,,rugby\n\
    5,,chess"
    .as_bytes();

const REPORT: &str = "\
3 created, 6 refused
line 3: 2,too small,tennis
    capacity: a capacity is a whole number from 3 to 32767, not 2
line 4: 20
    MALFORMED: number of fields: 1, in the first line: 3
line 5: many,,hockey
    capacity: must be a whole number
line 6: 32768,,\"  \"
    name: a name must not be empty or only white space
    capacity: a capacity is a whole number from 3 to 32767, not 32768
line 10: 20,,\"golf
    MALFORMED: a quote that is not closed in its line
line 11: 99999999999,,rugby
    capacity: a number of that size is no capacity
";

const REFUSED: &str = "\
line,content,reason,field,rule
3,\"2,too small,tennis\",INVALID_FIELDS,capacity,\"a capacity is a whole number from 3 to 32767, not 2\"
4,20,MALFORMED,,\"number of fields: 1, in the first line: 3\"
5,\"many,,hockey\",INVALID_FIELDS,capacity,must be a whole number
6,\"32768,,\"\"  \"\"\",INVALID_FIELDS,name,a name must not be empty or only white space
6,\"32768,,\"\"  \"\"\",INVALID_FIELDS,capacity,\"a capacity is a whole number from 3 to 32767, not 32768\"
10,\"20,,\"\"golf\",MALFORMED,,a quote that is not closed in its line
11,\"99999999999,,rugby\",INVALID_FIELDS,capacity,a number of that size is no capacity
";

async fn every_line_is_created_or_reported_and_none_is_created_twice(engine: Engine) {
    let log = Log::create(engine).await;
    let service = Service::start(&log);
    let folder = Folder::create();
    let (file, refused) = (
        folder.write("circles.csv", FILE),
        folder.path("refused.csv"),
    );
    let address = service.address();
    let arguments = ["--address", &address, "--refused", &refused, &file];

    let circles = [("football", 20), ("将棋, \"shogi\"", 30), ("chess", 5)];
    let circles = circles.map(|(name, capacity)| (name.to_owned(), capacity));
    for _ in 0..2 {
        let (status, report, notes) = run(&arguments);
        assert_eq!((status, report.as_str()), (1, REPORT), "{notes}");
        assert!(notes.contains("9 lines"), "{notes}");
        assert_eq!(log.created().await, circles);
        assert_eq!(fs::read_to_string(&refused).unwrap(), REFUSED);
    }

    // Corrected, under the same name.
    let corrected = String::from_utf8(FILE.to_vec()).unwrap();
    let corrected = corrected
        .replace("2,too small,", "3,,")
        .replace("many", " 4 ");
    let file = folder.write("circles.csv", corrected);
    let (status, report, _) = run(&["--address", &address, &file]);
    assert_eq!(status, 1);
    assert!(
        report.starts_with("5 created, 4 refused\nline 4: 20\n"),
        "{report}"
    );
    let added = [("tennis", 3), ("hockey", 4)].map(|(name, n)| (name.to_owned(), n));
    assert_eq!(log.created().await[3..], added);

    // Under another one it is another import.
    let file = folder.write("other.csv", "name,capacity\nfootball,20\n");
    let (status, report, _) = run(&["--address", &address, &file]);
    assert_eq!((status, report.as_str()), (0, "1 created, 0 refused\n"));
    assert_eq!(log.created().await.len(), 6);
}

async fn standard_input_is_new_unless_it_has_an_id(engine: Engine) {
    let log = Log::create(engine).await;
    let service = Service::start(&log);
    let address = service.address();
    let import = |more: &[&str]| {
        let mut arguments = vec!["--address", &address, "-"];
        arguments.extend_from_slice(more);
        let mut child = program(&arguments).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input
            .write_all(b"name,capacity\nfootball,20\nchess,5\n")
            .unwrap();
        drop(input);
        let (status, report, _) = ended(child.wait_with_output().unwrap());
        assert_eq!((status, report.as_str()), (0, "2 created, 0 refused\n"));
    };
    for (arguments, circles) in [
        (&[][..], 2),
        (&[], 4),
        (&["--import-id", "one"], 6),
        (&["--import-id", "one"], 6),
        (&["--import-id", "two"], 8),
    ] {
        import(arguments);
        assert_eq!(log.created().await.len(), circles, "{arguments:?}");
    }
}

async fn a_large_file_is_imported_in_its_order(engine: Engine) {
    const LINES: usize = 5_000;
    let log = Log::create(engine).await;
    let service = Service::start(&log);
    let folder = Folder::create();
    let mut file = String::from("name,capacity\n");
    for n in 0..LINES {
        // Some thousands are refused or malformed, in two runs that are longer than the window.
        let line = match n / 1_250 {
            1 => "x\n".to_owned(),
            2 => format!("circle {n},2\n"),
            _ => format!("circle {n},20\n"),
        };
        file.push_str(&line);
    }
    let (file, refused) = (
        folder.write("circles.csv", file),
        folder.path("refused.csv"),
    );
    let address = service.address();
    let (status, report, _) = run(&["--address", &address, "--refused", &refused, &file]);
    assert_eq!(status, 1);
    assert!(report.starts_with("2500 created, 2500 refused\nline 1252: x\n"));
    assert!(report.ends_with("\nand 1500 more\n"));

    // All that is sent at the same time may come into the log in any order.
    let mut circles: Vec<usize> = log
        .created()
        .await
        .iter()
        .map(|(name, _)| name.strip_prefix("circle ").unwrap().parse().unwrap())
        .collect();
    circles.sort_unstable();
    assert_eq!(circles, (0..1_250).chain(3_750..LINES).collect::<Vec<_>>());
    // The report is in the order of the file.
    let refused = fs::read_to_string(&refused).unwrap();
    let lines = refused.lines().skip(1);
    let numbers = lines.map(|line| line.split(',').next().unwrap().parse().unwrap());
    assert_eq!(
        numbers.collect::<Vec<usize>>(),
        (1_252..3_752).collect::<Vec<_>>()
    );
}
