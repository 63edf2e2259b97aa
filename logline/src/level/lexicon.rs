//! The words that tell a level, and the phrases.

use super::Level;

/// What a word tells by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    /// The program cannot go on.
    Fatal,
    Panic,
    Aborting,
    Error,
    /// `cannot`, `unable`.
    Cannot,
    Warn,
    /// The name of the level itself.
    Warning,
    Notice,
    /// `timeout`, `retry`: an event or a setting.
    Setting,
    /// `retrying`, `ignoring`: something went wrong, and the program goes on.
    Lenient,
    /// `no`, `without`, `if`: what follows is denied or a condition.
    Negator,
    /// What may stand between a negation and what it denies.
    Adjective,
    /// The other side is at fault.
    Mild,
    /// Windows' result codes.
    Hresult,
}

/// The sense of a lower-case word.
pub(super) fn sense(word: &[u8]) -> Option<Sense> {
    use Sense::{
        Aborting, Adjective, Cannot, Error, Fatal, Hresult, Lenient, Mild, Negator, Notice, Panic,
        Setting, Warn, Warning,
    };
    if !MAY_START[usize::from(*word.first()?)] {
        return None;
    }
    Some(match word {
        b"fatal" | b"panicked" | b"segfault" | b"sigsegv" | b"crashed" | b"unrecoverable"
        | b"emerg" | b"emergency" | b"sigabrt" | b"meditation" | b"oops" => Fatal,
        b"panic" => Panic,
        b"aborting" => Aborting,
        b"error" | b"errors" | b"failed" | b"failure" | b"failures" | b"fail" | b"fails"
        | b"failing" | b"exception" | b"exceptions" | b"corrupt" | b"corrupted" | b"corruption"
        | b"unhandled" | b"uncaught" | b"traceback" | b"abnormally" | b"critical" | b"err"
        | b"severe" | b"malformed" | b"nonexistent" | b"died" | b"crash" | b"backtrace"
        | b"eaddrinuse" | b"enoent" | b"eacces" | b"enospc" | b"emfile" | b"enomem" | b"eperm"
        | b"undefined" | b"unsuccessful" | b"oom" | b"misconfigured" | b"lockup"
        | b"inaccessible" | b"unreadable" | b"existent" => Error,
        b"cannot" | b"can't" | b"couldn't" | b"unable" => Cannot,
        b"warning" | b"warn" => Warning,
        b"notice" => Notice,
        b"denied" | b"refused" | b"deprecated" | b"invalid" | b"illegal" | b"wrong"
        | b"mismatch" | b"mismatched" | b"rejected" | b"rejecting" | b"reject" | b"lost"
        | b"unreachable" | b"aborted" | b"dropped" | b"dropping" | b"unsolicited" | b"exceeded"
        | b"exceeds" | b"overflow" | b"unrecognized" | b"unrecognised" | b"unsupported"
        | b"attack" | b"suspicious" | b"insecure" | b"unauthorized" | b"forbidden"
        | b"econnreset" | b"econnrefused" | b"epipe" | b"etimedout" | b"deadlock"
        | b"unexpected" | b"unexpectedly" | b"missing" | b"overloaded" | b"overload"
        | b"throttling" | b"throttled" | b"expired" | b"obsolete" | b"stale" | b"unavailable"
        | b"unsafe" | b"untrusted" | b"bad" | b"deprecation" | b"exhausted" | b"stalled"
        | b"stuck" | b"outdated" | b"unusable" | b"disallowed" | b"degraded" | b"unresponsive"
        | b"inconsistent" | b"conflict" => Warn,
        b"timeout" | b"retry" | b"retries" => Setting,
        b"retrying" | b"ignoring" | b"skipping" => Lenient,
        b"no" | b"without" | b"zero" | b"never" | b"non" | b"if" | b"any" | b"on" | b"for"
        | b"when" | b"unless" | b"max" | b"maximum" | b"test" | b"ignores" | b"ignore"
        | b"avoid" | b"possible" | b"prevent" => Negator,
        b"new" | b"known" | b"further" | b"more" | b"other" | b"previous" | b"pending"
        | b"serious" | b"or" | b"and" => Adjective,
        b"authentication" | b"login" | b"password" | b"client" | b"clients" | b"handshake"
        | b"authenticate" | b"auth" | b"logon" | b"corrected" | b"authenticating"
        | b"recovered" => Mild,
        b"hresult" => Hresult,
        _ => return None,
    })
}

/// First letters of the words above: most others are passed over by this alone.
const MAY_START: [bool; 256] = {
    let mut table = [false; 256];
    let letters = b"abcdefhilmnoprstuwz";
    let mut i = 0;
    while i < letters.len() {
        table[letters[i] as usize] = true;
        i += 1;
    }
    table
};

/// The level of two or three words in a row.
pub(super) fn phrase(first: &[u8], second: &[u8], third: &[u8]) -> Option<Level> {
    Some(match (second, third) {
        (
            b"not",
            b"found" | b"exist" | b"connected" | b"valid" | b"defined" | b"open" | b"accessible"
            | b"readable" | b"writable",
        )
        | (b"doesn't" | b"didn't", b"exist")
        | (b"could" | b"can", b"not")
        | (b"no", b"such" | b"space" | b"passwd" | b"matching")
        | (b"too", b"many")
        | (b"giving" | b"gave", b"up")
        | (b"call", b"trace")
        | (b"split", b"brain")
        | (b"never" | b"not", b"finished")
        | (b"in", b"use")
            if (third != b"use" || first == b"already") =>
        {
            Level::Error
        }
        (b"by", b"signal")
            if matches!(first, b"killed" | b"terminated" | b"exited" | b"stopped") =>
        {
            Level::Error
        }
        (b"by", b"signal") if first == b"crashed" => Level::Fatal,
        (b"of", b"memory") if first == b"out" => Level::Fatal,
        (b"segmentation", b"fault" | b"violation")
        | (b"core", b"dumped")
        | (b"general", b"protection")
        | (b"kernel", b"bug") => Level::Fatal,
        (b"timed", b"out")
        | (b"connection", b"reset")
        | (
            b"not",
            b"permitted" | b"allowed" | b"supported" | b"responding" | b"available"
            | b"implemented" | b"synced" | b"recommended",
        )
        | (b"broken", b"pipe")
        | (b"went", b"away")
        | (b"hung", b"up")
        | (b"too", b"long" | b"large" | b"old" | b"slow" | b"big" | b"small" | b"low" | b"high")
        | (b"no", b"route" | b"response" | b"answer" | b"selectable") => Level::Warn,
        _ => return None,
    })
}

/// Nouns that make a name of `error`, `failure`, `retry`, ... before them.
pub(super) fn names_a_thing(word: &[u8]) -> bool {
    matches!(
        word,
        b"log"
            | b"logs"
            | b"logger"
            | b"logging"
            | b"handler"
            | b"handlers"
            | b"handling"
            | b"page"
            | b"pages"
            | b"message"
            | b"messages"
            | b"reporting"
            | b"reporter"
            | b"report"
            | b"reports"
            | b"code"
            | b"codes"
            | b"level"
            | b"levels"
            | b"rate"
            | b"rates"
            | b"response"
            | b"responses"
            | b"correction"
            | b"recovery"
            | b"detection"
            | b"detector"
            | b"counter"
            | b"counters"
            | b"count"
            | b"counts"
            | b"policy"
            | b"policies"
            | b"limit"
            | b"limits"
            | b"interval"
            | b"intervals"
            | b"support"
            | b"threshold"
            | b"tolerance"
            | b"tolerant"
            | b"domain"
            | b"domains"
            | b"mode"
            | b"queue"
            | b"budget"
            | b"backoff"
            | b"tracking"
            | b"tracker"
            | b"output"
            | b"stream"
            | b"file"
            | b"documents"
            | b"document"
            | b"injection"
            | b"set"
            | b"value"
            | b"values"
            | b"max"
            | b"min"
            | b"delay"
            | b"period"
            | b"notifications"
            | b"topic"
            | b"metrics"
            | b"stats"
            | b"over"
            | b"safe"
            | b"types"
            | b"class"
            | b"classes"
            | b"hook"
            | b"hooks"
            | b"filter"
            | b"middleware"
            | b"boundary"
            | b"channel"
    )
}

/// Nouns that an `unknown` before them makes a complaint.
pub(super) fn is_setting_noun(word: &[u8]) -> bool {
    matches!(
        word,
        b"keyword"
            | b"directive"
            | b"option"
            | b"command"
            | b"flag"
            | b"parameter"
            | b"key"
            | b"keys"
            | b"field"
            | b"argument"
            | b"variable"
            | b"type"
            | b"format"
            | b"host"
            | b"unit"
            | b"time"
            | b"long"
            | b"short"
            | b"column"
            | b"level"
            | b"method"
            | b"module"
            | b"protocol"
            | b"user"
            | b"track"
            | b"log"
            | b"setting"
            | b"configuration"
            | b"section"
            | b"property"
            | b"database"
            | b"function"
            | b"table"
            | b"packet"
            | b"message"
            | b"version"
            | b"device"
            | b"ca"
            | b"service"
    )
}
