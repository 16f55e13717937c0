//! What MySQL or MariaDB says of itself.

use std::collections::BTreeMap;

/// One server.
#[derive(Clone, Debug, Default)]
pub struct MySqlFacts {
    /// As `SHOW GLOBAL VARIABLES` has them.
    pub variables: BTreeMap<String, String>,
}

impl MySqlFacts {
    /// Reads what `mysql -N -e "SHOW GLOBAL VARIABLES"` writes: a name, a tab and a value in each line. Says what is wrong
    /// with a text that is something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        let pairs =
            pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        let variables: BTreeMap<String, String> = pairs.collect();
        if !variables.contains_key("log_bin") {
            return Err("it has no line with log_bin, a tab and a value: write it with mysql -N -e \"SHOW GLOBAL VARIABLES\"".to_owned());
        }
        Ok(Self { variables })
    }

    pub fn is_mariadb(&self) -> bool {
        let version = self.variable("version").unwrap_or_default();
        version.to_ascii_lowercase().contains("mariadb")
    }

    pub fn name(&self) -> &'static str {
        if self.is_mariadb() {
            "MariaDB"
        } else {
            "MySQL"
        }
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}
