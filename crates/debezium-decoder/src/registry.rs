//! Formats of a schema registry: bytes that name their schema by number.
//!
//! Every such format is brought to the JSON text the JSON converter would have written, beside the
//! Connect schema that came with it there, and goes that way on. A schema that is not at hand is no
//! failure: the record waits for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use change_feed::{RegisteredSchema, RegistryId, SchemaLanguage, SchemaShelf};

use crate::DecodeError;
use crate::avro::{AvroSchema, BadBody};
use crate::formats::PartFormat;
use crate::protobuf::ProtobufSchema;
use crate::topic::{Reading, SchemaMemory, Unwrapped};

/// A zero byte, and the number of the schema.
const FRAME_BYTES: usize = 5;

/// The schemas of the source's registry, made ready as they are met.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    shelf: Option<Arc<SchemaShelf>>,
    ready: HashMap<RegistryId, Ready>,
}

/// A part in Avro: its schema and what is in its frame.
type AvroBody<'b> = (Arc<AvroSchema>, &'b [u8]);

/// A schema as records are read by it.
#[derive(Debug)]
enum Ready {
    Avro(Arc<AvroSchema>),
    Protobuf(ProtobufSchema),
    /// The body is JSON, whose schema tells nothing that it does not show.
    Json,
    Unusable(String),
}

impl Registered {
    pub fn new(shelf: Arc<SchemaShelf>) -> Self {
        Self {
            shelf: Some(shelf),
            ready: HashMap::new(),
        }
    }

    /// The payload of a part, with the schema it carries or names. `reading` takes what must be written
    /// anew to be text.
    pub fn unwrap<'t>(
        &mut self,
        bytes: &'t [u8],
        part: &'static str,
        memory: &mut SchemaMemory,
        reading: &'t mut Reading,
    ) -> Result<Unwrapped<'t>, DecodeError> {
        match memory.format {
            Some(PartFormat::String) => {
                let Reading { text, outline } = reading;
                *text = serde_json::Value::from(utf8(bytes, part)?).to_string();
                outline.clear();
                Ok(Unwrapped {
                    payload: text,
                    schema: None,
                    outline,
                })
            }
            _ if is_framed(bytes, memory.format) => self.framed(bytes, part, reading),
            Some(PartFormat::Avro | PartFormat::Protobuf) => Err(DecodeError::NotFramed { part }),
            Some(PartFormat::Json) | None => memory.unwrap(bytes, part, &mut reading.outline),
        }
    }

    /// The payload of a framed part that was written into JSON as base64.
    pub fn unwrap_base64<'t>(
        &mut self,
        base64: &str,
        part: &'static str,
        reading: &'t mut Reading,
    ) -> Result<Unwrapped<'t>, DecodeError> {
        let bytes = STANDARD.decode(base64).ok();
        let bytes = bytes.filter(|bytes| bytes.first() == Some(&0));
        let bytes = bytes.ok_or_else(|| DecodeError::Malformed {
            part,
            reason: "a text that is not framed for a schema registry".to_owned(),
        })?;
        self.framed(&bytes, part, reading)
    }

    /// The schema and the body of a part in Avro; `None` for any other part.
    pub fn avro<'b>(
        &mut self,
        bytes: &'b [u8],
        part: &'static str,
        format: Option<PartFormat>,
    ) -> Result<Option<AvroBody<'b>>, DecodeError> {
        if !is_framed(bytes, format) {
            return Ok(None);
        }
        let (_, ready, body) = self.ready(bytes, part)?;
        Ok(match ready {
            Ready::Avro(schema) => Some((Arc::clone(schema), body)),
            _ => None,
        })
    }

    /// The schema that a frame names, and what is in the frame.
    fn ready<'b>(
        &mut self,
        bytes: &'b [u8],
        part: &'static str,
    ) -> Result<(RegistryId, &Ready, &'b [u8]), DecodeError> {
        let malformed = |reason: String| DecodeError::Malformed { part, reason };
        let Some(shelf) = &self.shelf else {
            return Err(DecodeError::NeedsRegistry { part });
        };
        let Some((frame, body)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
            return Err(malformed(format!(
                "it is framed for a schema registry and ends after {} bytes",
                bytes.len()
            )));
        };
        let [_, number @ ..] = *frame;
        let id = RegistryId(u32::from_be_bytes(number));
        let ready = match self.ready.entry(id) {
            Entry::Occupied(ready) => ready.into_mut(),
            Entry::Vacant(place) => {
                let schema = shelf.get(id).ok_or(DecodeError::Waits { schema: id })?;
                place.insert(match &*schema {
                    Ok(schema) => Ready::of(schema),
                    Err(reason) => Ready::Unusable(reason.clone()),
                })
            }
        };
        Ok((id, ready, body))
    }

    fn framed<'t>(
        &mut self,
        bytes: &[u8],
        part: &'static str,
        reading: &'t mut Reading,
    ) -> Result<Unwrapped<'t>, DecodeError> {
        let (id, ready, body) = self.ready(bytes, part)?;
        let Reading { text, outline } = reading;
        text.clear();
        let schema = match ready {
            Ready::Avro(schema) => {
                let written = schema.write_json(body, text, outline);
                written.map_err(|bad| bad_body(part, id, &bad))?;
                Some(Arc::clone(schema.node()))
            }
            Ready::Protobuf(schema) => {
                let node = schema.write_json(body, text)?;
                outline.scan(text);
                Some(node)
            }
            Ready::Json => {
                text.push_str(utf8(body, part)?);
                outline.scan(text);
                None
            }
            Ready::Unusable(reason) => {
                return Err(DecodeError::UnusableSchema {
                    part,
                    id: id.0,
                    reason: reason.clone(),
                });
            }
        };
        Ok(Unwrapped {
            payload: text,
            schema,
            outline,
        })
    }
}

impl Ready {
    fn of(schema: &RegisteredSchema) -> Self {
        let ready = match schema.language {
            SchemaLanguage::Avro => {
                AvroSchema::parse(schema).map(|schema| Self::Avro(Arc::new(schema)))
            }
            SchemaLanguage::Protobuf => ProtobufSchema::parse(schema).map(Self::Protobuf),
            SchemaLanguage::Json => Ok(Self::Json),
        };
        ready.unwrap_or_else(Self::Unusable)
    }
}

/// True if the part is in the framing of a schema registry, as far as its bytes and config tell.
fn is_framed(bytes: &[u8], format: Option<PartFormat>) -> bool {
    let may_be = !matches!(format, Some(PartFormat::Json | PartFormat::String));
    may_be && bytes.first() == Some(&0)
}

fn bad_body(part: &'static str, id: RegistryId, bad: &BadBody) -> DecodeError {
    DecodeError::Malformed {
        part,
        reason: format!("it does not fit its schema {}: {}", id.0, bad.0),
    }
}

pub(crate) fn utf8<'a>(bytes: &'a [u8], part: &'static str) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| DecodeError::NotText {
        part,
        at: error.valid_up_to(),
    })
}
