//! Certificates for the broker's listeners with TLS, of an authority that lives as long as the stack's folder.

use std::fs;
use std::process::Command;

use super::place::Place;
use super::process::run;

const DAYS: &str = "3650";

/// Makes `tls/authority.pem`, which clients trust, and `tls/broker.pem`, which has the broker's key too.
pub fn make(place: &Place) -> anyhow::Result<()> {
    let folder = place.path("tls");
    let broker = folder.join("broker.pem");
    if broker.is_file() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let openssl =
        |arguments: &[&str]| run(Command::new("openssl").args(arguments).current_dir(&folder));
    let new_key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let mut authority = vec!["req", "-x509", "-days", DAYS];
    authority.extend(new_key);
    authority.extend(["-keyout", "authority.key", "-out", "authority.pem"]);
    authority.extend(["-subj", "/CN=Rowtide's test authority"]);
    openssl(&authority)?;
    let mut certificate = vec!["req", "-x509", "-days", DAYS];
    certificate.extend(new_key);
    certificate.extend(["-CA", "authority.pem", "-CAkey", "authority.key"]);
    certificate.extend(["-keyout", "broker.key", "-out", "broker.crt"]);
    certificate.extend(["-subj", "/CN=localhost"]);
    certificate.extend(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    certificate.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl(&certificate)?;
    let key = fs::read_to_string(folder.join("broker.key"))?;
    let certificate = fs::read_to_string(folder.join("broker.crt"))?;
    fs::write(broker, format!("{key}{certificate}"))?;
    Ok(())
}
