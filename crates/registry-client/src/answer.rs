//! What the answers of a registry mean. Pure: bytes in, words or a decision out.

use change_feed::SchemaLanguage;
use serde::Deserialize;

use crate::limits;

/// A schema as one answer has it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct SchemaAnswer {
    pub schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default, deserialize_with = "null_is_none")]
    pub references: Vec<Reference>,
}

/// Another schema that a schema uses, by the name it calls it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Reference {
    pub name: String,
    pub subject: String,
    pub version: i64,
}

/// Some registries write `null` where there is nothing.
fn null_is_none<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<Reference>, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

impl SchemaAnswer {
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("its answer is no schema ({error})"))
    }

    /// `Err` is the name of a language that nobody here reads.
    pub fn language(&self) -> Result<SchemaLanguage, &str> {
        match self.schema_type.as_deref() {
            None | Some("AVRO") => Ok(SchemaLanguage::Avro),
            Some("PROTOBUF") => Ok(SchemaLanguage::Protobuf),
            Some("JSON") => Ok(SchemaLanguage::Json),
            Some(other) => Err(other),
        }
    }
}

/// An error in the words of a schema registry.
#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// What an answer with a status that is not 200 says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such thing, says the registry itself.
    NotThere(String),
    /// Anything else; it may pass.
    Trouble(String),
}

/// `location` is where a redirect points to.
pub(crate) fn refusal(status: u16, location: Option<&str>, body: &[u8]) -> Refusal {
    let said = serde_json::from_slice::<ErrorAnswer>(body).ok();
    // 40401, 40402, 40403: no such subject, version, schema. A plain 404 is a wrong path as likely as not.
    if let Some(said) = said
        .as_ref()
        .filter(|said| status == 404 && (40_401..=40_499).contains(&said.error_code))
    {
        return Refusal::NotThere(words(&said.message));
    }
    let what = match (status, location) {
        (300..=399, Some(place)) => {
            let place = words(without_login(place));
            return Refusal::Trouble(format!(
                "it answers {status} and points to {place}: set url to where it is"
            ));
        }
        (401 | 403, _) => "check auth (username and password, or token)",
        (404, _) => {
            "this is not what a schema registry says of a missing schema: check the path of url"
        }
        (429, _) => "it is asked too often",
        (500..=599, _) => "it is in trouble itself",
        _ => "nothing that a schema registry answers",
    };
    let message = said.map_or_else(String::new, |said| {
        format!(", \"{}\"", words(&said.message))
    });
    Refusal::Trouble(format!("it answers {status}{message}: {what}"))
}

/// A redirect may carry the login of the address it answers.
fn without_login(place: &str) -> &str {
    let place = place.split(['?', '#']).next().unwrap_or_default();
    place.rsplit_once('@').map_or(place, |(_, host)| host)
}

/// A bounded piece of what someone else wrote, on one line.
pub(crate) fn words(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(limits::WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_registries_are_understood() {
        let parse = |text: &str| SchemaAnswer::parse(text.as_bytes());
        let plain = parse(r#"{"schema":"\"int\""}"#).unwrap();
        assert_eq!(
            (plain.schema.as_str(), plain.language()),
            ("\"int\"", Ok(SchemaLanguage::Avro))
        );
        let nulls = parse(r#"{"schema":"x","schemaType":null,"references":null,"id":7}"#).unwrap();
        assert_eq!(
            (nulls.language(), nulls.references.len()),
            (Ok(SchemaLanguage::Avro), 0)
        );
        let full = parse(
            r#"{"schema":"x","schemaType":"PROTOBUF","references":[{"name":"a.proto","subject":"s","version":3}]}"#,
        );
        let full = full.unwrap();
        assert_eq!(full.language(), Ok(SchemaLanguage::Protobuf));
        assert_eq!(full.references[0].version, 3);
        assert_eq!(
            parse(r#"{"schema":"x","schemaType":"XSD"}"#)
                .unwrap()
                .language(),
            Err("XSD")
        );
        for wrong in ["", "<html>", "[]", r#"{"schema":7}"#, r#"{"subject":"s"}"#] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_registry_itself_says_that_there_is_no_schema() {
        let body = br#"{"error_code":40403,"message":"Schema 7 not found"}"#;
        let not_there = Refusal::NotThere("Schema 7 not found".to_owned());
        assert_eq!(refusal(404, None, body), not_there);
        let trouble =
            |status, location, body: &str| match refusal(status, location, body.as_bytes()) {
                Refusal::Trouble(reason) => reason,
                other @ Refusal::NotThere(_) => panic!("{other:?}"),
            };
        for body in [
            "",
            "<html>404</html>",
            r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
        ] {
            assert!(
                trouble(404, None, body).contains("check the path of url"),
                "{body}"
            );
        }
        // The words alone are not enough where the status says otherwise.
        assert!(trouble(500, None, r#"{"error_code":40403,"message":"m"}"#).contains("500, \"m\""));
        assert!(trouble(401, None, "").contains("check auth"));
        let moved = trouble(
            302,
            Some("https://me:hunter2@sso.example/login?token=x"),
            "",
        );
        assert!(moved.contains("sso.example/login: set url"), "{moved}");
        assert!(
            !moved.contains("hunter2") && !moved.contains("token"),
            "{moved}"
        );
    }

    #[test]
    fn foreign_words_are_bounded_and_stay_on_one_line() {
        let long = format!(
            r#"{{"error_code":1,"message":"a\nb{}"}}"#,
            "x".repeat(10_000)
        );
        let Refusal::Trouble(reason) = refusal(503, None, long.as_bytes()) else {
            panic!("it is trouble");
        };
        assert!(
            reason.len() < 2 * limits::WORDS_MAX && !reason.contains('\n'),
            "{reason}"
        );
    }
}
