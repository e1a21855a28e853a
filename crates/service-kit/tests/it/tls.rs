//! TLS, with and without certificates of clients, and certificates that change.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use service_kit::{
    config,
    server::Options,
    tls::{self, CERTIFICATE, CLIENT_CA, KEY},
};
use test_support::certificates::{Authority, Issued};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error, Identity};

use crate::support::{Running, health, soon, start_with};

/// Certificates in files, which go with it.
struct Files(PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let name = format!("circles-tls-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn options(&self, own: &Issued, client_ca: Option<&Authority>) -> tls::Options {
        tls::Options {
            certificate: self.write("cert.pem", &own.certificate),
            key: self.write("key.pem", &own.key),
            client_ca: client_ca.map(|it| self.write("ca.pem", &it.certificate())),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn issue(authority: &Authority) -> Issued {
    authority.issue("service", &["127.0.0.1"])
}

async fn serve(tls: tls::Options) -> Running {
    serve_with(tls, Options::default()).await
}

async fn serve_with(tls: tls::Options, options: Options) -> Running {
    let server = start_with(Options {
        tls: Some(tls),
        ..options
    })
    .await;
    server.readiness.set(true);
    server
}

/// A channel of a client who trusts this authority, and says who it is.
async fn connect(
    server: &Running,
    trusted: &Authority,
    identity: Option<&Issued>,
) -> Result<Channel, Error> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted.certificate()));
    let tls = match identity {
        None => tls,
        Some(it) => tls.identity(Identity::from_pem(&it.certificate, &it.key)),
    };
    let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).unwrap();
    soon(endpoint.tls_config(tls).unwrap().connect()).await
}

/// Whether a client gets an answer. With TLS 1.3 one without a certificate connects, and hears of it afterwards.
async fn answered(server: &Running, trusted: &Authority, identity: Option<&Issued>) -> bool {
    match connect(server, trusted, identity).await {
        Ok(channel) => health(channel, "").await == Ok(1),
        Err(_) => false,
    }
}

#[tokio::test]
async fn clients_that_trust_the_authority_are_answered() {
    let authority = Authority::new();
    let files = Files::new("trusted");
    let server = serve(files.options(&issue(&authority), None)).await;
    assert!(answered(&server, &authority, None).await);
    assert!(!answered(&server, &Authority::new(), None).await);
    // Without TLS, nothing.
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let plain = match soon(endpoint.connect()).await {
        Ok(channel) => health(channel, "").await.is_ok(),
        Err(_) => false,
    };
    assert!(!plain);
}

#[tokio::test]
async fn with_mtls_a_client_needs_a_certificate_of_the_right_authority() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let files = Files::new("mutual");
    let server = serve(files.options(&issue(&authority), Some(&clients))).await;
    let known = clients.issue("client", &[]);
    let unknown = Authority::new().issue("client", &[]);
    assert!(answered(&server, &authority, Some(&known)).await);
    assert!(!answered(&server, &authority, Some(&unknown)).await);
    assert!(!answered(&server, &authority, None).await);
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off_and_holds_nobody_up() {
    let authority = Authority::new();
    let files = Files::new("slow");
    let options = Options {
        // Enough for the one that is not slow, on a slow machine too.
        handshake_timeout: Duration::from_secs(2),
        ..Options::default()
    };
    let server = serve_with(files.options(&issue(&authority), None), options).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The head of a handshake's record, which promises more.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        slow.push(stream);
    }
    assert!(answered(&server, &authority, None).await);
    for mut stream in slow {
        assert_eq!(soon(stream.read(&mut [0])).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn changed_certificates_are_used_and_bad_ones_are_not() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new("changed");
    let server = serve(files.options(&issue(&before), None)).await;
    let kept = connect(&server, &before, None).await.unwrap();

    // A pair that does not fit: what was there stays.
    let next = issue(&after);
    files.write("cert.pem", &next.certificate);
    assert!(answered(&server, &before, None).await);
    files.write("key.pem", &next.key);
    soon(async {
        while !answered(&server, &after, None).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(!answered(&server, &before, None).await);
    // A connection goes on as it began.
    assert_eq!(health(kept, "").await, Ok(1));
}

fn mistakes(variables: &[(&str, &Path)]) -> Vec<String> {
    let variables: BTreeMap<&str, &str> = variables
        .iter()
        .map(|(name, path)| (*name, path.to_str().unwrap()))
        .collect();
    match config::read(&variables, tls::Options::read) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .mistakes()
            .iter()
            .map(|mistake| mistake.name.clone())
            .collect(),
    }
}

#[test]
fn mistakes_are_found_before_anything_starts() {
    let files = Files::new("mistakes");
    let (one, other) = (issue(&Authority::new()), issue(&Authority::new()));
    let certificate = files.write("cert.pem", &one.certificate);
    let key = files.write("key.pem", &one.key);
    let others_key = files.write("other.pem", &other.key);
    let empty = files.write("empty.pem", "");
    let missing = files.0.join("missing.pem");
    let pair = [(CERTIFICATE, &*certificate), (KEY, &*key)];
    assert_eq!(mistakes(&pair), [""; 0]);
    assert_eq!(mistakes(&[]), [""; 0]);
    for (variables, expected) in [
        (&[(CERTIFICATE, &*certificate)][..], CERTIFICATE),
        (&[(CLIENT_CA, &*certificate)], CERTIFICATE),
        (&[(CERTIFICATE, &*missing), (KEY, &*key)], CERTIFICATE),
        (&[(CERTIFICATE, &*certificate), (KEY, &*missing)], KEY),
        (&[pair[0], pair[1], (CLIENT_CA, &*missing)], CLIENT_CA),
        (&[(CERTIFICATE, &*key), (KEY, &*key)], CERTIFICATE),
        (&[(CERTIFICATE, &*certificate), (KEY, &*empty)], KEY),
        (&[(CERTIFICATE, &*certificate), (KEY, &*others_key)], KEY),
        (&[pair[0], pair[1], (CLIENT_CA, &*empty)], CLIENT_CA),
    ] {
        assert_eq!(mistakes(variables), [expected], "{variables:?}");
    }
}
