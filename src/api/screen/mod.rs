//! What a connection passes on its way to the server: of HTTP that is wrong nothing gets through.
//!
//! The server answers such a request before any of our code sees it, without a word of explanation, or waits for the rest of it.
//! Here every head and the bounds of every body are looked at first. To the server a refused request looks as if the other side
//! had ended: it answers those before, and closes; then the refusal is sent, as a problem document like every other.

mod chunks;
mod frames;
mod head;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::count;
use super::problem::{Code, Refused};
use super::server::{CLOSING, HEAD_TIME};
use crate::metrics::Tally;
use frames::{Frames, Step};

pub(super) use head::{HEAD_SIZE, is_whole};

/// How much is read at a time, in bytes.
const CHUNK: usize = 4 << 10;

/// How often the server looks again while a head is on its way: more often than it gives up connections.
const TICK: Duration = Duration::from_secs(1);

/// What tells the server that a head begins, and says nothing else: an empty line.
const ANNOUNCEMENT: &[u8] = b"\r\n";

/// What is wrong with the body that is being read; known to who reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict(Rc<RefCell<Option<Refused>>>);

impl Verdict {
    /// Gives what there is to say, once.
    pub(super) fn take(&self) -> Option<Refused> {
        self.0.borrow_mut().take()
    }
}

/// A connection over which only right requests come.
pub(super) struct Screen<S> {
    stream: S,
    /// What was read and not looked at yet.
    raw: BytesMut,
    /// What was looked at and not handed on yet.
    good: BytesMut,
    frames: Frames,
    verdict: Verdict,
    tally: Tally,
    /// By when a head that is awaited has to be there, or what is on its way when the connection is closed.
    end: Option<Pin<Box<Sleep>>>,
    /// When the server is to look again meanwhile.
    tick: Option<Pin<Box<Sleep>>>,
    /// Whether nothing is handed on any more.
    is_over: bool,
    /// What is sent before the connection is closed.
    last_words: Bytes,
    /// Whether the other side may still be sending when the connection is closed.
    lingers: bool,
    is_shut: bool,
}

impl<S> Screen<S> {
    /// Begins with the first request, which has to come soon.
    pub(super) fn new(stream: S, tally: Tally) -> Self {
        Self {
            stream,
            raw: BytesMut::new(),
            good: BytesMut::new(),
            frames: Frames::new(),
            verdict: Verdict::default(),
            tally,
            end: Some(Box::pin(sleep(HEAD_TIME))),
            tick: None,
            is_over: false,
            last_words: Bytes::new(),
            lingers: false,
            is_shut: false,
        }
    }

    pub(super) fn inner(&self) -> &S {
        &self.stream
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Hands nothing on any more, and says why when all others are answered.
    fn refuse(&mut self, refused: &Refused) {
        count::refused(&self.tally, refused);
        self.last_words = refused.bare().into();
        (self.is_over, self.lingers) = (true, true);
        self.end = None;
    }

    /// Gives up a head that is not there in time; one that has not begun, in silence.
    fn expire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.frames.awaits_head() {
            return Poll::Pending;
        }
        if self.end.is_none() && self.raw.is_empty() {
            return Poll::Pending;
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(HEAD_TIME)));
        if end.as_mut().poll(cx).is_pending() {
            // The server is woken now and then: it takes a head that has begun for none before it looks again.
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
            while tick.as_mut().poll(cx).is_ready() {
                tick.as_mut().reset(Instant::now() + TICK);
            }
            return Poll::Pending;
        }
        if self.raw.is_empty() {
            self.is_over = true;
            self.end = None;
        } else {
            let detail = format!("the head of the request was not complete after {} s", HEAD_TIME.as_secs());
            self.refuse(&Refused::new(Code::HeadTimeout, detail));
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> Screen<S> {
    /// Waits until there is something to hand on, or nothing any more.
    fn poll_good(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.good.is_empty() && !self.is_over {
            match self.frames.next(&mut self.raw) {
                Step::HandOn(good) => {
                    self.good = good;
                    (self.end, self.tick) = (None, None);
                }
                Step::Announce => self.good.put_slice(ANNOUNCEMENT),
                Step::RefuseHead(refused) => self.refuse(&refused),
                Step::RefuseBody(refused) => {
                    *self.verdict.0.borrow_mut() = Some(refused);
                    (self.is_over, self.lingers) = (true, true);
                }
                Step::Await => ready!(self.poll_raw(cx))?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for more, or for the end.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); CHUNK];
        let mut read = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.stream).poll_read(cx, &mut read)? {
            Poll::Ready(()) if read.filled().is_empty() => self.is_over = true,
            Poll::Ready(()) => self.raw.extend_from_slice(read.filled()),
            Poll::Pending => ready!(self.expire(cx)),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Screen<S> {
    /// Waits, but not for long, until the other side ends too: else what it sends yet could cost it our last words.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(CLOSING)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let mut space = [MaybeUninit::uninit(); CHUNK];
            let mut read = ReadBuf::uninit(&mut space);
            let failed = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)).is_err();
            if failed || read.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Screen<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_good(cx))?;
        let length = self.good.len().min(buf.remaining());
        buf.put_slice(&self.good[..length]);
        self.good.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Screen<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.last_words.is_empty() {
            let length = ready!(Pin::new(&mut this.stream).poll_write(cx, &this.last_words))?;
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.last_words.advance(length);
        }
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.is_shut = true;
            this.end = None;
        }
        if this.lingers { this.poll_linger(cx).map(Ok) } else { Poll::Ready(Ok(())) }
    }
}
