//! Any file is read to its end, and no line of it gets lost; any arguments are taken or refused.

use clap::Parser as _;
use fuzz_support::{bytes, texts};
use proptest::collection::vec;
use proptest::prelude::*;
use tonic::transport::Endpoint;

use crate::args::Arguments;
use crate::record::Records;
use crate::request_id::RequestIds;

const FILES: &[&str] = &[
    "name,capacity\nchess,20\n\"tea, green\",30\n",
    "\u{feff}id, capacity ,\"name\",notes\r\n7, 20 ,chess,x\r\n8,30,\"say \"\"go\"\"\",\"two\nlines\"\r\n",
    "capacity,name\n20,a\nmany,b\n\n,,\n-1,\"open\nc,4\n",
    "name,capacity\n將棋,32767\n\"\",3\n\"a\"b,99999999999",
];

proptest! {
    #[test]
    fn files_survive_any_bytes(file in bytes(FILES)) {
        let Ok(mut records) = Records::new(file.as_slice()) else {
            return Ok(());
        };
        let import = RequestIds::new("circles.csv");
        let (mut line, mut end) = (1, 0);
        while let Some(record) = records.next().unwrap() {
            // They come in their order, none twice.
            prop_assert!(record.line > line, "line {} after {line}", record.line);
            prop_assert!(record.end > end && record.end <= file.len() as u64);
            if let Ok(circle) = &record.circle {
                prop_assert!(!circle.name.contains('\n'));
                prop_assert_eq!(import.of(record.line, circle).len(), 36);
            }
            (line, end) = (record.line, record.end);
        }
        // What follows the last record are ends of lines alone.
        if end > 0 {
            let rest = &file[usize::try_from(end).unwrap()..];
            prop_assert!(rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')));
        }
    }

    #[test]
    fn arguments_survive_any_bytes(
        address in texts(["127.0.0.1:50051", "[::1]:1", "commands.example.org:443", "host"]),
        patience in texts(["120", "4294967296"]),
        others in vec(texts(["circles.csv", "-", "--import-id", "--refused=x", "--help", "--"]), 0..3),
    ) {
        let given = ["circles-import", "--address", &address, "--patience", &patience];
        let given = given.into_iter().chain(others.iter().map(String::as_str));
        match Arguments::try_parse_from(given) {
            Ok(arguments) => {
                let endpoint = Endpoint::from_shared(format!("http://{}", arguments.address)).unwrap();
                let uri = endpoint.uri();
                prop_assert_eq!(uri.authority().map(|it| it.as_str()), Some(address.as_str()));
                prop_assert!(uri.port_u16().is_some() && uri.path() == "/" && uri.query().is_none());
                prop_assert_eq!(patience.parse(), Ok(arguments.patience));
            }
            Err(error) => prop_assert!(error.exit_code() == 0 || !error.to_string().is_empty()),
        }
    }
}
