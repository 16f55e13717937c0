//! One Rust file, read and parsed once for all rules.

use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token};

/// A parsed file and where it is.
pub struct SourceFile {
    /// Relative to the workspace, with forward slashes.
    pub path: String,
    pub text: String,
    pub syntax: syn::File,
}

impl SourceFile {
    /// Parses `text`; the error carries the line.
    pub fn parse(path: String, text: String) -> Result<Self, syn::Error> {
        let syntax = syn::parse_file(&text)?;
        Ok(Self { path, text, syntax })
    }
}

/// The attributes of an item, whatever kind it is.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether these attributes keep an item out of the shipped build: `#[test]`, `#[cfg(test)]`,
/// `#[cfg(all(test, …))]`.
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<Meta>()
                    .is_ok_and(|condition| needs_test(&condition))
    })
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().any(needs_test)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_only(code: &str) -> bool {
        is_test_only(attributes(&syn::parse_str(code).unwrap()))
    }

    #[test]
    fn only_what_never_ships_counts_as_test() {
        assert!(test_only("#[test] fn a() {}"));
        assert!(test_only("#[cfg(test)] mod tests {}"));
        assert!(test_only("#[cfg(all(test, feature = \"mock\"))] use a::b;"));
        assert!(!test_only("#[cfg(not(test))] fn a() {}"));
        assert!(!test_only(
            "#[cfg(any(test, feature = \"mock\"))] fn a() {}"
        ));
        assert!(!test_only("fn a() {}"));
    }
}
