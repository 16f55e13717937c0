//! From the text of `.proto` files to descriptors whose names are resolved.
//!
//! Schemas of Confluent's converter use files that they do not import and no registry holds
//! (`confluent/meta.proto`): the well-known ones are at hand for every file, imported or not.
//! Refuses texts so long or so deeply nested that parsing them could exhaust the stack.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use change_feed::RegisteredSchema;
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor};

/// What the registered file itself is called; imports cannot spell it.
const REGISTERED: &str = "the registered schema";
/// Of one file. A table of 1,600 columns has about 200 KB.
const TEXT_BYTES_MAX: usize = 4 << 20;
const REFERENCES_MAX: usize = 1_000;
/// Brackets inside brackets. Messages nest as rows do; the parser uses the stack for each level.
const BRACKETS_MAX: usize = 64;

/// What the registry's converters refer to; `google/protobuf/*` comes with the descriptors.
pub(super) const WELL_KNOWN: [(&str, &str); 4] = [
    (
        "confluent/meta.proto",
        include_str!("well_known/meta.proto"),
    ),
    (
        "confluent/type/decimal.proto",
        include_str!("well_known/decimal.proto"),
    ),
    (
        "google/type/date.proto",
        include_str!("well_known/date.proto"),
    ),
    (
        "google/type/timeofday.proto",
        include_str!("well_known/timeofday.proto"),
    ),
];

static WELL_KNOWN_FILES: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    let mut pool = DescriptorPool::global();
    for (name, text) in WELL_KNOWN {
        let file = protox_parse::parse(name, text).map_err(|error| error.to_string())?;
        pool.add_file_descriptor_proto(file)
            .map_err(|error| error.to_string())?;
    }
    Ok(pool)
});

/// The registered file with all that it refers to.
pub(super) struct Files {
    pub registered: FileDescriptor,
    /// What fields that had to be called otherwise are called, by message and number.
    renamed: HashMap<(String, i32), String>,
}

impl Files {
    pub fn parse(schema: &RegisteredSchema) -> Result<Self, String> {
        if schema.references.len() > REFERENCES_MAX {
            return Err(format!(
                "it refers to more than {REFERENCES_MAX} other schemas"
            ));
        }
        let mut pool = WELL_KNOWN_FILES.clone()?;
        let mut renamed = HashMap::new();
        for (name, text) in &schema.references {
            add(&mut pool, name, text, &mut renamed)
                .map_err(|error| format!("`{name}`, which it refers to: {error}"))?;
        }
        add(&mut pool, REGISTERED, &schema.text, &mut renamed)?;
        let registered = pool
            .get_file_by_name(REGISTERED)
            .ok_or("the file is not among its own descriptors")?;
        Ok(Self {
            registered,
            renamed,
        })
    }

    /// The name of a field as the text has it.
    pub fn name<'a>(&'a self, field: &'a FieldDescriptor) -> &'a str {
        let place = (
            field.parent_message().full_name().to_owned(),
            field.number() as i32,
        );
        self.renamed
            .get(&place)
            .map_or(field.name(), String::as_str)
    }
}

fn add(
    pool: &mut DescriptorPool,
    name: &str,
    text: &str,
    renamed: &mut HashMap<(String, i32), String>,
) -> Result<(), String> {
    check_size(text)?;
    // A copy of a well-known file: the one at hand is the same.
    if pool.get_file_by_name(name).is_some() {
        return Ok(());
    }
    let text = with_legal_package(text);
    let mut file = protox_parse::parse(name, &text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {error}")
    })?;
    for import in &file.dependency {
        if pool.get_file_by_name(import).is_none() {
            return Err(format!(
                "it imports `{import}`, which is not among the schemas it refers to"
            ));
        }
    }
    import_well_known(&mut file, pool);
    let package = file.package().to_owned();
    for message in &mut file.message_type {
        tell_apart(message, &package, renamed);
    }
    pool.add_file_descriptor_proto(file)
        .map_err(|error| error.to_string())
}

/// The converter makes packages of topic names, in which a hyphen is common; the language has none.
/// Nothing is found by its package, so another name will do.
fn with_legal_package<'a>(text: &'a str) -> Cow<'a, str> {
    let statement = |line: &'a str| line.trim().strip_prefix("package ")?.strip_suffix(';');
    let Some(package) = text.lines().find_map(statement) else {
        return text.into();
    };
    let legal = |part: &str| {
        let digit = part.starts_with(|first: char| first.is_ascii_digit());
        let part = part.replace(|other: char| !other.is_ascii_alphanumeric(), "_");
        format!("{}{part}", if digit { "_" } else { "" })
    };
    let parts: Vec<String> = package.trim().split('.').map(legal).collect();
    let written = format!("package {package};");
    text.replacen(&written, &format!("package {};", parts.join(".")), 1)
        .into()
}

fn check_size(text: &str) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("the text has more than {TEXT_BYTES_MAX} bytes"));
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    // Brackets in strings and comments count as well: it is a bound, not a parser.
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > BRACKETS_MAX {
        return Err(format!("the text nests more than {BRACKETS_MAX} brackets"));
    }
    Ok(())
}

fn import_well_known(file: &mut FileDescriptorProto, pool: &DescriptorPool) {
    let bundled = WELL_KNOWN.iter().map(|(name, _)| *name);
    let google = ["duration", "empty", "struct", "timestamp", "wrappers"]
        .map(|name| format!("google/protobuf/{name}.proto"));
    for name in bundled.chain(google.iter().map(String::as_str)) {
        let imported = file.dependency.iter().any(|import| import == name);
        if !imported && pool.get_file_by_name(name).is_some() {
            file.dependency.push(name.to_owned());
        }
    }
}

/// Columns may be called `line_1` and `line1`. Java takes that, so it is registered; descriptors here
/// refuse names that differ by case and underscores only. The later of them are called otherwise.
fn tell_apart(
    message: &mut DescriptorProto,
    scope: &str,
    renamed: &mut HashMap<(String, i32), String>,
) {
    let full_name = if scope.is_empty() {
        message.name().to_owned()
    } else {
        format!("{scope}.{}", message.name())
    };
    let folded = |name: &str| name.replace('_', "").to_lowercase();
    let mut taken: HashSet<String> = HashSet::new();
    let mut late = Vec::new();
    for (place, field) in message.field.iter().enumerate() {
        // Two fields of one and the same name stay the error they are.
        let same = |other: &FieldDescriptorProto| other.name() == field.name();
        if !taken.insert(folded(field.name())) && !message.field[..place].iter().any(same) {
            late.push(place);
        }
    }
    for place in late {
        let field = &mut message.field[place];
        let mut name = format!("field_{}", field.number());
        while !taken.insert(folded(&name)) {
            name.push('x');
        }
        let original = field.name.replace(name).unwrap_or_default();
        field.json_name = None;
        renamed.insert((full_name.clone(), field.number()), original);
    }
    for nested in &mut message.nested_type {
        tell_apart(nested, &full_name, renamed);
    }
}
