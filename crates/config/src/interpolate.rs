//! `${env:NAME}` and `${file:/path}` inside strings.
//!
//! One pass: what a variable or file contains is taken literally, so that a password may hold `${`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

/// A secret file larger than this is not one.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What is wrong with a reference, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct InterpolateError {
    pub what: String,
    pub help: String,
}

/// Replaces every reference in `text`.
pub fn interpolate(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, InterpolateError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = &reference[2..];
            continue;
        }
        out.push_str(before);
        let Some(end) = reference.find('}') else {
            return Err(InterpolateError {
                what: format!("has a `${{` without its `}}` in {text:?}"),
                help: "close it, or write `$${` for a literal `${`".to_owned(),
            });
        };
        out.push_str(&resolve(&reference[2..end], environment)?);
        rest = &reference[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn resolve(
    reference: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, InterpolateError> {
    match reference.split_once(':') {
        Some(("env", name)) => environment
            .get(name)
            .cloned()
            .ok_or_else(|| InterpolateError {
                what: format!("needs the environment variable {name}, which is not set"),
                help: format!("set {name}, or write the value itself"),
            }),
        Some(("file", path)) => read(path),
        _ => Err(InterpolateError {
            what: format!("refers to `${{{reference}}}`, which is neither `env:` nor `file:`"),
            help: "write `${env:NAME}` or `${file:/path}`, or `$${` for a literal `${`".to_owned(),
        }),
    }
}

/// The file's text without the line ends at its end, which editors and `echo` put there.
fn read(path: &str) -> Result<String, InterpolateError> {
    let failed = |reason: &dyn std::fmt::Display| InterpolateError {
        what: format!("needs the file {path}, which cannot be read ({reason})"),
        help: "create it or make it readable for this user, or write the value itself".to_owned(),
    };
    // Not by the size that the system tells: of `/dev/zero` it is 0.
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| failed(&error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(&format!(
            "it has more than the {FILE_BYTES_MAX} bytes that a setting may have"
        )));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: &Expect) {
        let environment = BTreeMap::from([("USER_NAME".to_owned(), "ada".to_owned())]);
        let result = match interpolate(text, &environment) {
            Ok(text) => text,
            Err(error) => format!("… {}: {}", error.what, error.help),
        };
        expected.assert_eq(&result);
    }

    #[test]
    fn references_are_replaced_and_literals_kept() {
        check("plain $ {text}", &expect!["plain $ {text}"]);
        check("${env:USER_NAME}@${env:USER_NAME}", &expect!["ada@ada"]);
        check("a$${env:USER_NAME}b", &expect!["a${env:USER_NAME}b"]);
    }

    #[test]
    fn what_a_file_holds_is_taken_literally() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p${env:NOPE}\r\n").unwrap();
        check(
            &format!("<${{file:{}}}>", file.path().display()),
            &expect!["<p${env:NOPE}>"],
        );
    }

    #[test]
    fn errors_say_what_is_missing() {
        check(
            "${env:NOPE}",
            &expect![
                "… needs the environment variable NOPE, which is not set: set NOPE, or write the value itself"
            ],
        );
        check(
            "${file:/no/such}",
            &expect![
                "… needs the file /no/such, which cannot be read (No such file or directory (os error 2)): create it or make it readable for this user, or write the value itself"
            ],
        );
        // Endless, and of no size as the system tells it.
        check(
            "${file:/dev/zero}",
            &expect![
                "… needs the file /dev/zero, which cannot be read (it has more than the 65536 bytes that a setting may have): create it or make it readable for this user, or write the value itself"
            ],
        );
        check(
            "${vault:x}",
            &expect![
                "… refers to `${vault:x}`, which is neither `env:` nor `file:`: write `${env:NAME}` or `${file:/path}`, or `$${` for a literal `${`"
            ],
        );
        check(
            "x${env:A",
            &expect![[
                r#"… has a `${` without its `}` in "x${env:A": close it, or write `$${` for a literal `${`"#
            ]],
        );
    }
}
