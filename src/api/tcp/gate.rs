//! What a connection passes before HTTP is spoken on it: nothing is set aside for one that has not sent the head of a request.
//!
//! Idle and slow connections are many and cost little here. When there is no room for another one, the one that has waited longest
//! goes: so whoever speaks up is served, however many are silent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::Protocol;
use actix_web::rt::net::TcpStream;
use bytes::BytesMut;
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::opened::{Opened, Stream};
use crate::api::access::Connection;
use crate::api::count;
use crate::api::patient::PATIENCE;
use crate::api::problem::{Code, Refused};
use crate::api::screen::{HEAD_SIZE, is_whole};
use crate::api::server::HEAD_TIME;
use crate::metrics::Tally;

/// What is set aside at a time for a head that is being read, in bytes.
const CHUNK: usize = 512;

/// How long a refusal may take to be sent.
const REFUSING: Duration = Duration::from_millis(500);

/// How many connections may wait in each thread, and how many may be served in all.
const WAITING: u64 = 2048;
const SERVED: u64 = 2048;

/// How many connections there is room for; a clone shares it.
#[derive(Clone)]
pub(super) struct Room {
    waiting: usize,
    served: usize,
    free: Arc<Semaphore>,
}

impl Room {
    /// The room that the process has: half of its descriptors at most, so that enough are left for the programs of sources.
    pub(super) fn of_this_process(workers: usize) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let part = |most: u64, parts: u64| usize::try_from((descriptors / parts).clamp(1, most)).unwrap_or(usize::MAX);
        let served = part(SERVED, 4);
        let waiting = part(WAITING, 4 * workers as u64);
        Self { waiting, served, free: Arc::new(Semaphore::new(served)) }
    }

    /// The most connections of one thread.
    pub(super) fn connections(&self) -> usize {
        // One more is accepted before the oldest is let go.
        self.waiting + self.served + 1
    }
}

/// The gate of one thread.
#[derive(Clone)]
pub(super) struct Gate {
    tls: Option<TlsAcceptor>,
    room: Room,
    tally: Tally,
    queue: Rc<RefCell<Queue>>,
}

/// Those who wait, the oldest first.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place among those who wait, given up when it is dropped.
struct Place {
    queue: Rc<RefCell<Queue>>,
    number: u64,
    /// Resolves when the place is given to somebody else.
    lost: oneshot::Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.borrow_mut().waiting.remove(&self.number);
    }
}

/// Why a connection came to nothing.
enum Shut {
    Lost,
    Broken(io::Error),
    Refused(Stream, Refused),
}

impl Gate {
    pub(super) fn new(tls: Option<TlsAcceptor>, room: Room, tally: Tally) -> Self {
        Self { tls, room, tally, queue: Rc::default() }
    }

    /// Waits until the head of the connection's first request is there.
    ///
    /// # Errors
    /// Whatever is wrong with the connection, which is closed then; whoever has sent something is told before.
    pub(super) async fn open(self, stream: TcpStream) -> io::Result<(Opened, Protocol, Option<SocketAddr>)> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        stream.set_nodelay(true)?;
        // Who has vanished takes nothing either.
        set_tcp_user_timeout(&stream, u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX))?;
        let mut place = self.take_place();
        let arrived = tokio::select! {
            arrived = self.arrive(stream) => arrived,
            _ = &mut place.lost => Err(Shut::Lost),
        };
        drop(place);
        let (stream, head) = match arrived {
            Ok(arrived) => arrived,
            Err(Shut::Broken(error)) => return Err(error),
            Err(Shut::Lost) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Err(Shut::Refused(stream, refused)) => return Err(self.refuse(stream, &refused).await),
        };
        let Ok(Ok(permit)) = timeout(HEAD_TIME, Arc::clone(&self.room.free).acquire_owned()).await else {
            let refused = Refused::new(Code::Unavailable, "there are too many connections");
            return Err(self.refuse(stream, &refused).await);
        };
        let connection = Connection::Tcp { peer, local };
        Ok((Opened::new(stream, head.freeze(), connection, permit), Protocol::Http1, Some(peer)))
    }

    /// Counts a refusal, and says it, if it is heard soon.
    async fn refuse(&self, stream: Stream, refused: &Refused) -> io::Error {
        count::refused(&self.tally, refused);
        say(stream, refused).await
    }

    fn take_place(&self) -> Place {
        let mut queue = self.queue.borrow_mut();
        while queue.waiting.len() >= self.room.waiting {
            queue.waiting.pop_first();
        }
        let number = queue.next;
        queue.next += 1;
        let (keep, lost) = oneshot::channel();
        queue.waiting.insert(number, keep);
        Place { queue: Rc::clone(&self.queue), number, lost }
    }

    /// Waits for the first byte, and then for the rest of the head.
    async fn arrive(&self, stream: TcpStream) -> Result<(Stream, BytesMut), Shut> {
        let silent = |_| Shut::Broken(io::ErrorKind::TimedOut.into());
        timeout(HEAD_TIME, stream.readable()).await.map_err(silent)?.map_err(Shut::Broken)?;
        // Made when it is needed: what a silent connection costs is the size of what is awaited here.
        Box::pin(self.read_head(stream)).await
    }

    async fn read_head(&self, stream: TcpStream) -> Result<(Stream, BytesMut), Shut> {
        let began = tokio::time::Instant::now();
        let mut stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let shaken = timeout(HEAD_TIME, tls.accept(stream)).await;
                let shaken = shaken.map_err(|_| Shut::Broken(io::ErrorKind::TimedOut.into()))?;
                Stream::Tls(Box::new(shaken.map_err(Shut::Broken)?))
            }
        };
        let mut head = BytesMut::new();
        while !is_whole(&head) {
            if head.len() >= HEAD_SIZE {
                let detail = format!("the head of the request is larger than {HEAD_SIZE} bytes");
                return Err(Shut::Refused(stream, Refused::new(Code::HeadTooLarge, detail)));
            }
            head.reserve(CHUNK);
            match tokio::time::timeout_at(began + HEAD_TIME, stream.read_buf(&mut head)).await {
                Err(_) => {
                    let detail = format!("the head of the request was not complete after {} s", HEAD_TIME.as_secs());
                    return Err(Shut::Refused(stream, Refused::new(Code::HeadTimeout, detail)));
                }
                Ok(Ok(0)) => return Err(Shut::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Shut::Broken(error)),
            }
        }
        Ok((stream, head))
    }
}

/// Says why a connection is closed, if it is heard soon.
async fn say(mut stream: Stream, refused: &Refused) -> io::Error {
    let send = async {
        stream.write_all(&refused.bare()).await?;
        stream.shutdown().await?;
        // What is on its way yet could cost the other side what was said.
        while stream.read(&mut [0; CHUNK]).await? > 0 {}
        Ok(())
    };
    match timeout(REFUSING, send).await {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => io::ErrorKind::TimedOut.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_fewer_connections_than_descriptors() {
        let room = Room::of_this_process(2);
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!((room.served + 2 * room.waiting) as u64 <= descriptors / 2 + 3);
    }

    #[test]
    fn the_one_that_has_waited_longest_makes_room() {
        let room = Room { waiting: 2, served: 1, free: Arc::new(Semaphore::new(1)) };
        let gate = Gate::new(None, room, Tally::default());
        let mut places: Vec<Place> = (0..3).map(|_| gate.take_place()).collect();
        let lost: Vec<bool> =
            places.iter_mut().map(|place| place.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed)).collect();
        assert_eq!(lost, [true, false, false]);
        places.pop();
        assert_eq!(gate.queue.borrow().waiting.len(), 1, "a place that is given up is free");
    }
}
