//! The connections to helper nodes, kept from trial to trial and shared between trials.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use fogbit_transport::endpoint::SILENCE;
use fogbit_transport::{Member, MemberError};
use quinn::Connection;

/// The connection to one helper node, if there is one; locked while it is being made.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// All connections, by the helper nodes' names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<BTreeMap<String, Slot>>>);

impl Connections {
    /// The connection to `helper` at `address`: the one there is, if it is open, or a new one, which
    /// leads over an emulated link or not.
    ///
    /// # Errors
    /// If the helper node cannot be reached or is somebody else.
    pub(crate) async fn get(
        &self,
        member: &Member,
        helper: &str,
        address: SocketAddr,
        over_link: bool,
    ) -> Result<Connection, MemberError> {
        let slot = Arc::clone(self.lock().entry(helper.to_owned()).or_default());
        let mut slot = slot.lock().await;
        let open =
            slot.as_ref().filter(|c| c.close_reason().is_none() && c.remote_address() == address);
        if let Some(connection) = open {
            return Ok(connection.clone());
        }
        let connection = match over_link {
            true => member.connect_over_link(helper, address, SILENCE).await?,
            false => member.connect(helper, address).await?,
        };
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Every connection that is open now.
    pub(crate) fn open(&self) -> Vec<(String, Connection)> {
        let slots = self.lock();
        let open = slots.iter().filter_map(|(name, slot)| {
            let connection = slot.try_lock().ok()?.clone()?;
            connection.close_reason().is_none().then(|| (name.clone(), connection))
        });
        open.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Slot>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
