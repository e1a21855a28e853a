//! Who is let in, what is recorded of them, and what nobody is told.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use circles_proto::circles::admin::v1::GetStatusRequest;
use circles_proto::circles::admin::v1::projector_admin_service_client::ProjectorAdminServiceClient;
use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use circles_proto::circles::v1::{
    CreateCircleRequest, GetCircleHistoryRequest, GetCircleRequest, ImportCirclesRequest,
    WatchCirclesRequest,
};
use serde_json::json;
use test_support::certificates::Authority;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::process::Service;
use test_support::secrets::MARK;
use test_support::tokens::Issuer;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request};
use uuid::Uuid;

use crate::support::{ANY_PORT, PATIENCE, Services, System, start_command};

on_every_engine!(
    callers_prove_who_they_are_and_it_is_recorded,
    passwords_and_tokens_are_in_no_log,
);

/// Files with what the services need, which go with it.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let name = format!("circles-security-{}", Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A call with a token.
fn with_token<T>(message: T, bearer: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", bearer.parse().unwrap());
    request
}

fn football() -> CreateCircleRequest {
    CreateCircleRequest {
        name: "football".to_owned(),
        capacity: 20,
        ..CreateCircleRequest::default()
    }
}

async fn callers_prove_who_they_are_and_it_is_recorded(engine: Engine) {
    let files = Files::new();
    let (authority, issuer) = (Authority::new(), Issuer::ed25519("1"));
    let own = authority.issue("circles", &["127.0.0.1"]);
    let system = System::start_with(
        engine,
        &[
            (
                "CIRCLES_TLS_CERT",
                &files.write("cert.pem", &own.certificate),
            ),
            ("CIRCLES_TLS_KEY", &files.write("key.pem", &own.key)),
            (
                "CIRCLES_TLS_CLIENT_CA",
                &files.write("ca.pem", &authority.certificate()),
            ),
            (
                "CIRCLES_JWT_KEYS",
                &files.write("jwks.json", &issuer.jwks()),
            ),
        ],
    )
    .await;
    let client = authority.issue("client", &[]);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.certificate()))
        .identity(Identity::from_pem(&client.certificate, &client.key));
    let channel = |service: &Service| -> Channel {
        let endpoint = Endpoint::from_shared(format!("https://{}", service.address())).unwrap();
        endpoint.tls_config(tls.clone()).unwrap().connect_lazy()
    };
    let services = &system.services;
    let mut commands = CircleCommandServiceClient::new(channel(&services.command));
    let mut queries = CircleQueryServiceClient::new(channel(&services.query));
    let mut admin = ProjectorAdminServiceClient::new(channel(&services.projector));
    let writer = issuer.bearer("anna", "circles.write");
    let reader = issuer.bearer("bert", "circles.read");
    let operator = issuer.bearer("cleo", "circles.admin");
    services.command.logs("health turned ready=true").await;

    let made = commands
        .create_circle(with_token(football(), &writer))
        .await;
    let made = made.unwrap().into_inner();
    let history = GetCircleHistoryRequest {
        circle_id: made.circle_id.clone(),
        min_sequence: Some(made.sequence),
        ..GetCircleHistoryRequest::default()
    };
    let history = queries
        .get_circle_history(with_token(history, &reader))
        .await;
    assert_eq!(history.unwrap().into_inner().entries[0].actor, "anna");
    admin
        .get_status(with_token(GetStatusRequest {}, &operator))
        .await
        .unwrap();

    // Nobody does what another one may.
    let get = GetCircleRequest {
        circle_id: made.circle_id,
        ..GetCircleRequest::default()
    };
    for (status, code) in [
        (
            commands
                .create_circle(with_token(football(), &reader))
                .await
                .err(),
            Code::PermissionDenied,
        ),
        (
            commands.create_circle(football()).await.err(),
            Code::Unauthenticated,
        ),
        (
            queries
                .get_circle(with_token(get.clone(), &writer))
                .await
                .err(),
            Code::PermissionDenied,
        ),
        (queries.get_circle(get).await.err(), Code::Unauthenticated),
        (
            admin
                .get_status(with_token(GetStatusRequest {}, &writer))
                .await
                .err(),
            Code::PermissionDenied,
        ),
        (
            admin.get_status(GetStatusRequest {}).await.err(),
            Code::Unauthenticated,
        ),
    ] {
        assert_eq!(status.unwrap().code(), code);
    }
    // Nor is anybody let in without a certificate.
    let stranger =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.certificate()));
    let endpoint =
        Endpoint::from_shared(format!("https://{}", services.command.address())).unwrap();
    let stranger = endpoint.tls_config(stranger).unwrap().connect_lazy();
    let refused = CircleCommandServiceClient::new(stranger)
        .create_circle(with_token(football(), &writer))
        .await;
    assert!(refused.is_err());

    // A watch and an import end with their token, which is good for half a minute after its time at
    // most: that is some 10 s from now, in which they have to begin.
    let ends = SystemTime::now() - Duration::from_secs(20);
    let ends = ends
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let token =
        issuer.token(&json!({"sub": "bert", "scope": "circles.read circles.write", "exp": ends}));
    let token = format!("Bearer {token}");
    let endless = tokio_stream::pending::<ImportCirclesRequest>();
    let import = commands.import_circles(with_token(endless, &token)).await;
    let mut import = import.unwrap().into_inner();
    let watch = WatchCirclesRequest::default();
    let watch = queries.watch_circles(with_token(watch, &token)).await;
    let mut watch = watch.unwrap().into_inner();
    let ended = async {
        while watch.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    let ended = tokio::time::timeout(PATIENCE, import.message())
        .await
        .unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    system.assert_consistent().await;
}

async fn passwords_and_tokens_are_in_no_log(engine: Engine) {
    let files = Files::new();
    let issuer = Issuer::ed25519("1");
    let user = format!("u{}", &Uuid::now_v7().simple().to_string()[20..]);
    let password = format!("{MARK}-{user}");
    let system = System::start_with(
        engine,
        &[(
            "CIRCLES_JWT_KEYS",
            &files.write("jwks.json", &issuer.jwks()),
        )],
    )
    .await;
    system.log.allow(&user, &password).await;
    let allowed = [
        "ACL",
        "SETUSER",
        &user,
        "on",
        &format!(">{password}"),
        "~*",
        "&*",
        "+@all",
    ];
    system.redis.command(&allowed);

    // All that there is to log, of services that log in with passwords.
    let mut places = system.services.places.clone();
    // MySQL wants TLS for passwords, and MariaDB may not have it.
    let mysql = places
        .mysql
        .replace("ssl-mode=DISABLED", "ssl-mode=PREFERRED");
    places.mysql = with_login(&mysql, &user, &password);
    places.redis = with_login(&places.redis, &user, &password);
    places.settings.push(("CIRCLES_LOG", "trace".to_owned()));
    let services = Services::start(places.clone());
    services.command.logs("health turned ready=true").await;
    let writer = issuer.bearer("anna", "circles.write");
    let reader = issuer.bearer("bert", "circles.read");
    let made = services
        .commands()
        .create_circle(with_token(football(), &writer))
        .await;
    let made = made.unwrap().into_inner();
    let get = GetCircleRequest {
        circle_id: made.circle_id,
        min_sequence: Some(made.sequence),
    };
    services
        .queries()
        .get_circle(with_token(get, &reader))
        .await
        .unwrap();
    let bad = with_token(football(), &format!("{writer}x"));
    assert!(services.commands().create_circle(bad).await.is_err());

    // And of one whose password is wrong.
    places.mysql = places.mysql.replacen(MARK, &format!("{MARK}-not"), 1);
    let refused = start_command(&places, ANY_PORT);
    refused.logs("Access denied").await;
    // Each looks into its log when it ends, as in every other test.
    drop((services, refused));
    system.redis.command(&["ACL", "DELUSER", &user]);
    system.log.forbid(&user).await;
}

/// The same address, for another user.
fn with_login(url: &str, user: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{user}:{password}@{host}/{path}")
}
