//! `GET /v1/wait`.

use serde::{Deserialize, Serialize};

use crate::Fresh;

/// Tables have come as far as was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitResponse {
    pub fresh: Fresh,
}
