//! Where phones are registered, a row a phone, as JSON; and which workers have a desktop open. Read whole at the start.

use base::Timestamp;
use call::record::{DesktopRow, RegistrationRow};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Error, Row};

use crate::rows::parsed;
use crate::{Store, StoreError, sql};

pub(crate) async fn write(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &RegistrationRow,
) -> Result<(), Error> {
    if row.contacts.is_empty() {
        let gone = sqlx::query(sql::DELETE_REGISTRATION).bind(box_id).bind(row.phone.as_str());
        gone.execute(connection).await?;
        return Ok(());
    }
    let json = serde_json::to_string(row).map_err(|error| Error::Encode(Box::new(error)))?;
    sqlx::query(sql::PUT_REGISTRATION)
        .bind(box_id)
        .bind(row.phone.as_str())
        .bind(row.until().0)
        .bind(json)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn write_desktop(
    connection: &mut AnyConnection,
    box_id: &str,
    row: &DesktopRow,
) -> Result<(), Error> {
    let statement = if row.open { sql::PUT_DESKTOP } else { sql::DELETE_DESKTOP };
    let mut query = sqlx::query(statement).bind(box_id).bind(row.worker.to_string());
    if row.open {
        query = query.bind(row.workspace.to_string());
    }
    query.execute(connection).await?;
    Ok(())
}

fn read_desktop(row: &AnyRow) -> Result<DesktopRow, Error> {
    Ok(DesktopRow { workspace: parsed(row, "workspace")?, worker: parsed(row, "worker")?, open: true })
}

/// `None`: written by a version that knew them otherwise. The phone registers anew.
fn read(row: &AnyRow) -> Result<Option<RegistrationRow>, Error> {
    let json: String = row.try_get("row")?;
    Ok(serde_json::from_str(&json).ok())
}

impl Store {
    /// Where this box's phones are registered, of those that have not expired by now.
    pub async fn registrations(&self, now: Timestamp) -> Result<Vec<RegistrationRow>, StoreError> {
        let query = sqlx::query(sql::REGISTRATIONS).bind(self.inner.box_id.clone()).bind(now.0);
        Ok(self.rows(query, read).await?.into_iter().flatten().collect())
    }

    /// Which workers of this box had a desktop open.
    pub async fn desktops(&self) -> Result<Vec<DesktopRow>, StoreError> {
        self.rows(sqlx::query(sql::DESKTOPS).bind(self.inner.box_id.clone()), read_desktop).await
    }
}
