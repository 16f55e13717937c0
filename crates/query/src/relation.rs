//! Relations between tables: which columns of one are equal to which columns of another.
//!
//! Change events carry no foreign keys, so config says them. A query names a relation by its own name, by
//! the table it leads to, by its column or its constraint; [`Relations::resolve`] finds the one that is
//! meant, in either direction or through a junction, or says between which it cannot tell.

use std::sync::Arc;

use table_store::{Cut, TableCut};

use crate::tree::RelationRef;
use crate::zone::{self, Zone};

/// One side of a relation: some columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Any name of the table.
    pub table: String,
    pub columns: Vec<String>,
}

/// Rows of `from` name, in some columns, one row of `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What it is called from `from`'s side.
    pub name: String,
    pub from: Endpoint,
    pub to: Endpoint,
    /// What it is called from `to`'s side; `None`: by the name of `from`'s table.
    pub inverse: Option<String>,
    /// The foreign key's name in the database.
    pub constraint: Option<String>,
    /// At most one row of `from` names a row of `to`.
    pub is_unique: bool,
}

/// All relations there are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Relations(Arc<[Relation]>);

/// A relation as it is followed from one table's rows.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it is called there.
    pub name: String,
    pub target: Arc<TableCut>,
    /// Columns of the row that it is followed from, ...
    pub from: Vec<String>,
    /// ... and those of the target (or the junction) that are equal to them.
    pub to: Vec<String>,
    /// A row may have several related ones.
    pub is_many: bool,
    pub junction: Option<Junction>,
}

/// The table between two that are related many to many.
#[derive(Clone, Debug)]
pub struct Junction {
    pub table: Arc<TableCut>,
    /// Columns of the junction, ...
    pub from: Vec<String>,
    /// ... and those of the target that are equal to them.
    pub to: Vec<String>,
}

/// Why no single relation is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationError {
    Unknown {
        /// What relations of the table are called.
        known: Vec<String>,
    },
    Ambiguous {
        candidates: Vec<Candidate>,
    },
    /// Config names a table that has not been found in any source.
    NoTable {
        table: String,
    },
}

/// One of several relations that may be meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    pub target: String,
    pub cardinality: Cardinality,
    /// In words, the table that asks first: `orders(customer_id) and customers(id)`.
    pub through: String,
    /// With which hint this one is meant.
    pub hint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cardinality {
    OneToMany,
    ManyToOne,
    OneToOne,
    ManyToMany,
}

impl From<Vec<Relation>> for Relations {
    fn from(relations: Vec<Relation>) -> Self {
        Self(relations.into())
    }
}

/// Where the names in a query are looked up.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    pub cut: &'a Cut,
    pub relations: &'a Relations,
    /// A name means a table before it means a relation, as with `PostgREST`.
    pub tables_first: bool,
    /// In which instants are read and turned into dates.
    pub zone: &'a Zone,
}

impl<'a> World<'a> {
    #[must_use]
    pub fn new(cut: &'a Cut, relations: &'a Relations) -> Self {
        Self {
            cut,
            relations,
            tables_first: false,
            zone: &zone::UTC,
        }
    }

    /// The relation that is meant by a name and perhaps a hint.
    ///
    /// A relation that is called so is meant before a table that one leads to, and that before a
    /// column or constraint.
    pub fn resolve(
        &self,
        table: &TableCut,
        reference: &RelationRef,
    ) -> Result<Link, RelationError> {
        let cut = self.cut;
        let mut ways = self.relations.ways(cut, table);
        let own = table.table.identity().id;
        let is_of_itself = |way: &Way<'_>| way.link.target.table.identity().id == own;
        if self.tables_first {
            ways.retain(|way| !is_of_itself(way) || way.link.junction.is_none());
        }
        let known = |ways: &[Way<'_>]| ways.iter().map(|way| way.link.name.clone()).collect();
        if let Some(hint) = &reference.hint {
            let is_hint = |columns: &[String]| matches!(columns, [column] if column == hint);
            let joins =
                |link: &Link| link.junction.is_none() && (is_hint(&link.from) || is_hint(&link.to));
            let fits = |way: &Way<'_>| {
                way.link.name == *hint
                    || way.names.contains(&&**hint)
                    || self.tables_first && joins(&way.link)
            };
            if !ways.iter().any(fits) {
                return Err(RelationError::Unknown {
                    known: known(&ways),
                });
            }
            ways.retain(fits);
        }
        let name = &*reference.name;
        let target = cut.table(name).map(|table| table.table.identity().id).ok();
        // A table that names itself means the rows that refer to a row; the row that it refers to is meant by its column.
        let leads_there = |way: &Way<'_>| {
            Some(way.link.target.table.identity().id) == target
                && (!self.tables_first || !is_of_itself(way) || way.is_back)
        };
        let is_called = |way: &Way<'_>| way.link.name == name;
        // A column means the row that it names, not the rows that name this one by it.
        let goes_by =
            |way: &Way<'_>| way.names.contains(&name) && !way.link.to.iter().any(|to| to == name);
        let all_known = known(&ways);
        let mut fitting: [&dyn Fn(&Way<'_>) -> bool; 3] = [&is_called, &leads_there, &goes_by];
        if self.tables_first {
            fitting.swap(0, 1);
        }
        let Some(fits) = fitting.into_iter().find(|fits| ways.iter().any(fits)) else {
            return Err(self
                .relations
                .missing_table(cut, name)
                .unwrap_or(RelationError::Unknown { known: all_known }));
        };
        let mut found: Vec<Way<'_>> = ways.into_iter().filter(|way| fits(way)).collect();
        // What is related directly is meant before what a junction relates.
        let is_direct = |way: &Way<'_>| way.link.junction.is_none() && way.link.name == name;
        if !self.tables_first && reference.hint.is_none() && found.iter().any(is_direct) {
            found.retain(is_direct);
        }
        if found.len() == 1 {
            return Ok(found.remove(0).link);
        }
        let mut candidates: Vec<Candidate> = found.iter().map(Way::candidate).collect();
        candidates.sort();
        Err(RelationError::Ambiguous { candidates })
    }
}

/// A way from a table to another, before it is known to be the one that is meant.
struct Way<'a> {
    link: Link,
    /// Names that mean it among others: relation, target, columns, constraint, junction.
    names: Vec<&'a str>,
    cardinality: Cardinality,
    /// It leads to rows that refer to the row it is followed from.
    is_back: bool,
    through: String,
}

impl Relations {
    #[must_use]
    pub fn all(&self) -> &[Relation] {
        &self.0
    }

    /// Every way from a table, under the name it has there.
    #[must_use]
    pub fn links(&self, cut: &Cut, table: &TableCut) -> Vec<Link> {
        let ways = self.ways(cut, table).into_iter();
        ways.map(|way| way.link).collect()
    }

    fn missing_table(&self, cut: &Cut, name: &str) -> Option<RelationError> {
        let is_meant = |relation: &&Relation| {
            let leads_there = relation.from.table == name || relation.to.table == name;
            relation.name == name || relation.inverse_name() == name || leads_there
        };
        let meant = self.0.iter().filter(is_meant);
        let missing = meant
            .flat_map(|relation| [&relation.from, &relation.to])
            .find(|endpoint| cut.table(&endpoint.table).is_err())?;
        Some(RelationError::NoTable {
            table: missing.table.clone(),
        })
    }

    fn ways(&self, cut: &Cut, table: &TableCut) -> Vec<Way<'_>> {
        let own = table.table.identity().id;
        let mut ways = Vec::new();
        for relation in self.0.iter() {
            let (Ok(from), Ok(to)) = (
                cut.table(&relation.from.table),
                cut.table(&relation.to.table),
            ) else {
                continue;
            };
            if from.table.identity().id == own {
                ways.push(relation.forward(to));
            }
            if to.table.identity().id == own {
                ways.push(relation.backward(from));
                self.push_junctions(cut, relation, from, &mut ways);
            }
        }
        ways
    }

    /// A table whose key names rows of two others, as a relation of these: `first` leads from the junction to our table.
    fn push_junctions<'a>(
        &'a self,
        cut: &Cut,
        first: &'a Relation,
        junction: &Arc<TableCut>,
        ways: &mut Vec<Way<'a>>,
    ) {
        let key = key_of(junction);
        let is_in_key =
            |endpoint: &Endpoint| endpoint.columns.iter().all(|column| key.contains(column));
        if !is_in_key(&first.from) {
            return;
        }
        let id = junction.table.identity().id;
        for second in self
            .0
            .iter()
            .filter(|second| *second != first && is_in_key(&second.from))
        {
            let leaves = cut
                .table(&second.from.table)
                .is_ok_and(|from| from.table.identity().id == id);
            let (true, Ok(target)) = (leaves, cut.table(&second.to.table)) else {
                continue;
            };
            let name = &junction.table.identity().name;
            ways.push(Way {
                link: Link {
                    name: target.table.identity().name.clone(),
                    target: Arc::clone(target),
                    from: first.to.columns.clone(),
                    to: first.from.columns.clone(),
                    is_many: true,
                    junction: Some(Junction {
                        table: Arc::clone(junction),
                        from: second.from.columns.clone(),
                        to: second.to.columns.clone(),
                    }),
                },
                names: vec![&first.from.table],
                cardinality: Cardinality::ManyToMany,
                is_back: false,
                through: format!(
                    "{name} using {} and {}",
                    first.described(),
                    second.described()
                ),
            });
        }
    }
}

/// The columns of a table's key, as its newest rows have it.
fn key_of(table: &TableCut) -> Vec<String> {
    let schema = table.schema.and_then(|id| table.table.schemas().get(id));
    schema
        .and_then(|schema| schema.key.clone())
        .unwrap_or_default()
}

impl Relation {
    /// What the relation is called from `to`'s side.
    #[must_use]
    pub fn inverse_name(&self) -> &str {
        self.inverse.as_deref().unwrap_or(&self.from.table)
    }

    fn described(&self) -> String {
        let columns = self.from.columns.join(", ");
        match &self.constraint {
            Some(constraint) => format!("{constraint}({columns})"),
            None => format!("{}({columns})", self.name),
        }
    }

    fn through(&self, asking: &Endpoint, other: &Endpoint) -> String {
        let side =
            |endpoint: &Endpoint| format!("{}({})", endpoint.table, endpoint.columns.join(", "));
        let ends = format!("{} and {}", side(asking), side(other));
        match &self.constraint {
            Some(constraint) => format!("{constraint} using {ends}"),
            None => ends,
        }
    }

    /// Words that mean the relation from either side.
    fn names(&self) -> Vec<&str> {
        let mut names = vec![&*self.name];
        names.extend(self.inverse.as_deref());
        names.extend(self.constraint.as_deref());
        if let [column] = &self.from.columns[..] {
            names.push(column);
        }
        names
    }

    fn forward(&self, to: &Arc<TableCut>) -> Way<'_> {
        Way {
            link: Link {
                name: self.name.clone(),
                target: Arc::clone(to),
                from: self.from.columns.clone(),
                to: self.to.columns.clone(),
                is_many: false,
                junction: None,
            },
            names: self.names(),
            cardinality: if self.is_unique {
                Cardinality::OneToOne
            } else {
                Cardinality::ManyToOne
            },
            is_back: false,
            through: self.through(&self.from, &self.to),
        }
    }

    fn backward(&self, from: &Arc<TableCut>) -> Way<'_> {
        let mut key = key_of(from);
        let mut columns = self.from.columns.clone();
        key.sort_unstable();
        columns.sort_unstable();
        // Columns that are a key name each row once.
        let is_many = !self.is_unique && key != columns;
        Way {
            link: Link {
                name: self.inverse_name().to_owned(),
                target: Arc::clone(from),
                from: self.to.columns.clone(),
                to: self.from.columns.clone(),
                is_many,
                junction: None,
            },
            names: self.names(),
            cardinality: if is_many {
                Cardinality::OneToMany
            } else {
                Cardinality::OneToOne
            },
            is_back: true,
            through: self.through(&self.to, &self.from),
        }
    }
}

impl Way<'_> {
    fn candidate(&self) -> Candidate {
        Candidate {
            hint: self
                .names
                .iter()
                .rev()
                .find(|name| **name != self.link.name)
                .map_or_else(|| self.link.name.clone(), |name| (*name).to_owned()),
            cardinality: self.cardinality,
            target: self.link.target.table.identity().name.clone(),
            through: self.through.clone(),
        }
    }
}
