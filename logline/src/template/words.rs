//! What is known of words: names that have a digit in them, units, months, endings of hosts and files.

/// Longest name with a digit that is looked up.
const LONGEST_NAME: usize = 12;

/// Names with a digit that are words all the same (`ipv4`, `sha256`): protocols, formats, architectures, API versions.
/// Whatever their case.
pub(super) fn is_name(word: &[u8]) -> bool {
    if word.len() > LONGEST_NAME || word.len() < 2 {
        return false;
    }
    let mut buffer = [0_u8; LONGEST_NAME];
    for (to, from) in buffer.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    let word = &buffer[..word.len()];
    let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (stem, number) = word.split_at(word.len() - digits);
    if digits > 0 {
        match stem {
            b"v" if digits <= 2 => return true,
            b"ipv" | b"ip" | b"inet" => return matches!(number, b"4" | b"6"),
            b"sha" | b"sha-" => {
                return matches!(
                    number,
                    b"1" | b"2" | b"3" | b"224" | b"256" | b"384" | b"512"
                );
            }
            b"utf" | b"utf-" | b"ucs" => {
                return matches!(number, b"2" | b"4" | b"7" | b"8" | b"16" | b"32");
            }
            b"int" | b"uint" | b"float" | b"i" | b"u" | b"f" => {
                return matches!(
                    number,
                    b"8" | b"16" | b"32" | b"64" | b"128" | b"386" | b"486" | b"586" | b"686"
                );
            }
            b"ext" | b"nfsv" | b"smb" | b"md" | b"l" | b"layer" | b"s" | b"ec" | b"h" | b"http"
            | b"http/" | b"ssl" | b"sslv" | b"tlsv" | b"oauth" | b"ssh" | b"nfs" | b"python"
            | b"mp" | b"bzip" | b"lz" | b"db" | b"web" | b"gtk" | b"qt" | b"py" | b"ps"
            | b"usb" | b"raid"
                if digits == 1 =>
            {
                return true;
            }
            b"base" => {
                return matches!(
                    number,
                    b"16" | b"32" | b"36" | b"58" | b"62" | b"64" | b"85"
                );
            }
            b"win" | b"arm" | b"amd" | b"ia" | b"x" | b"mips" | b"ppc" | b"aarch" | b"armv"
            | b"x86_" | b"x86-" | b"el" => {
                return matches!(
                    number,
                    b"16" | b"32" | b"64" | b"86" | b"509" | b"6" | b"7" | b"8" | b"9"
                );
            }
            b"aes" | b"aes-" | b"rsa" | b"cp" | b"crc" | b"fnv" | b"hmac-sha" | b"fat"
            | b"murmur" | b"xxh" | b"ed" | b"rc" | b"curve" | b"iso" | b"rfc" | b"h.26" => {
                return true;
            }
            b"beta" | b"alpha" => return digits <= 2,
            _ => {}
        }
        if stem.len() >= 4
            && stem[0] == b'v'
            && stem[1].is_ascii_digit()
            && (stem.ends_with(b"beta") || stem.ends_with(b"alpha"))
        {
            return true;
        }
    }
    matches!(
        word,
        b"p2p"
            | b"b2b"
            | b"i2c"
            | b"i2o"
            | b"k8s"
            | b"k3s"
            | b"i18n"
            | b"l10n"
            | b"log4j"
            | b"log4net"
            | b"slf4j"
            | b"neo4j"
            | b"h2o"
            | b"w3c"
            | b"w3svc"
            | b"x11"
            | b"xfs4"
            | b"a11y"
            | b"g1gc"
            | b"http/1.0"
            | b"http/1.1"
            | b"http/2.0"
            | b"rtsp/1.0"
            | b"sip/2.0"
            | b"tls1.2"
            | b"tls1.3"
            | b"tlsv1.0"
            | b"tlsv1.1"
            | b"tlsv1.2"
            | b"tlsv1.3"
            | b"802.11"
            | b"802.1x"
            | b"802.1q"
            | b"8250"
            | b"8n1"
            | b"8042"
            | b"i8042"
            | b"l2cap"
            | b"v4l2"
            | b"e2fsck"
            | b"e820"
            | b"s390x"
            | b"ppc64le"
            | b"c10k"
            | b"id3"
            | b"m2m"
            | b"m2"
            | b"mp3"
            | b"ext3-fs"
            | b"ext2-fs"
            | b"ext4-fs"
            | b"2fa"
            | b"3d"
            | b"2d"
            | b"3des"
            | b"3g"
            | b"4g"
            | b"5g"
            | b"6to4"
            | b"6in4"
    )
}

/// A unit of time behind a number, with or without a space between: its length, or 0.
pub(super) fn time_unit(text: &[u8], spaced: bool) -> usize {
    let len = letters(text);
    let unit = &text[..len];
    let known = match unit {
        b"ns" | b"us" | b"ms" | b"sec" | b"secs" | b"second" | b"seconds" | b"minute"
        | b"minutes" | b"hour" | b"hours" | b"hrs" | b"msec" | b"msecs" | b"usec" | b"usecs"
        | b"nsec" | b"millis" | b"milliseconds" | b"millisecond" | b"microseconds"
        | b"nanoseconds" | b"mins" | b"\xc2\xb5s" | b"\xce\xbcs" => true,
        b"s" | b"day" | b"days" | b"min" => true,
        b"m" | b"h" | b"d" | b"w" => !spaced,
        _ => false,
    };
    if known { len } else { 0 }
}

/// A unit of data behind a number, with or without a space between: its length, or 0.
pub(super) fn size_unit(text: &[u8], spaced: bool) -> usize {
    let len = letters(text);
    let known = match &text[..len] {
        b"B" | b"KB" | b"kB" | b"MB" | b"GB" | b"TB" | b"PB" | b"KiB" | b"MiB" | b"GiB"
        | b"TiB" | b"kb" | b"mb" | b"gb" => true,
        b"Kb" | b"Mb" | b"Gb" | b"kbps" | b"Mbps" | b"Gbps" => true,
        b"bytes" | b"byte" | b"k" | b"K" | b"M" | b"G" | b"T" | b"Ki" | b"Mi" | b"Gi" | b"b" => {
            !spaced
        }
        _ => false,
    };
    if known { len } else { 0 }
}

/// Any other unit glued to a number: its length, or 0.
pub(super) fn other_unit(text: &[u8]) -> usize {
    let len = letters(text);
    let known = matches!(
        &text[..len],
        b"Hz"
            | b"kHz"
            | b"KHz"
            | b"MHz"
            | b"Mhz"
            | b"GHz"
            | b"Ghz"
            | b"W"
            | b"kW"
            | b"mW"
            | b"V"
            | b"mV"
            | b"A"
            | b"mA"
            | b"C"
            | b"F"
            | b"rpm"
            | b"RPM"
            | b"dB"
            | b"dBm"
            | b"px"
            | b"pt"
            | b"fps"
            | b"bps"
            | b"bpp"
            | b"x"
            | b"mm"
            | b"cm"
            | b"km"
            | b"kg"
            | b"bit"
            | b"bits"
            | b"pages"
            | b"ppm"
            | b"qps"
            | b"rps"
            | b"L"
            | b"ULL"
    );
    if known { len } else { 0 }
}

/// How many bytes at the start of `text` are letters (or not ASCII).
fn letters(text: &[u8]) -> usize {
    text.iter()
        .take(16)
        .take_while(|b| b.is_ascii_alphabetic() || !b.is_ascii())
        .count()
}

/// Whether the three letters are a month as dates write it.
pub(super) fn is_month(word: &[u8]) -> bool {
    matches!(
        word,
        b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    )
}

/// Whether the three letters are a day of the week as dates write it.
pub(super) fn is_weekday(word: &[u8]) -> bool {
    matches!(
        word,
        b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"
    )
}

/// Whether a name with dots that ends so is a host's. Only endings that are no usual file or package name.
pub(super) fn is_host_ending(label: &[u8]) -> bool {
    matches!(
        label,
        b"com"
            | b"net"
            | b"org"
            | b"edu"
            | b"gov"
            | b"mil"
            | b"info"
            | b"arpa"
            | b"local"
            | b"localdomain"
            | b"internal"
            | b"lan"
            | b"svc"
            | b"ru"
            | b"uk"
            | b"jp"
            | b"hk"
            | b"tw"
            | b"kr"
            | b"nl"
            | b"fr"
            | b"it"
            | b"es"
            | b"pl"
            | b"br"
            | b"au"
            | b"ca"
            | b"us"
            | b"eu"
            | b"ch"
            | b"se"
            | b"dk"
            | b"fi"
            | b"cz"
            | b"at"
            | b"be"
            | b"mx"
            | b"ar"
            | b"za"
            | b"cn"
            | b"tr"
            | b"gr"
            | b"hu"
            | b"ro"
            | b"ua"
            | b"de"
            | b"home"
            | b"corp"
    )
}

/// Further countries, for names that look like a host's otherwise.
pub(super) fn is_country(label: &[u8]) -> bool {
    matches!(
        label,
        b"vn"
            | b"th"
            | b"sg"
            | b"nz"
            | b"ie"
            | b"il"
            | b"pt"
            | b"sk"
            | b"si"
            | b"hr"
            | b"bg"
            | b"lt"
            | b"lv"
            | b"ee"
            | b"ir"
            | b"pk"
            | b"ph"
            | b"cl"
            | b"co"
            | b"pe"
            | b"ve"
            | b"ae"
            | b"sa"
            | b"kz"
            | b"ge"
            | b"io"
            | b"ai"
            | b"me"
            | b"cc"
            | b"tv"
            | b"im"
            | b"sh"
            | b"my"
            | b"lu"
            | b"is"
            | b"rs"
            | b"by"
            | b"no"
            | b"su"
    )
}

/// Whether a name with dots that starts so is one of code or of a setting.
pub(super) fn starts_package(label: &[u8]) -> bool {
    matches!(
        label,
        b"com"
            | b"org"
            | b"net"
            | b"io"
            | b"java"
            | b"javax"
            | b"sun"
            | b"jdk"
            | b"android"
            | b"kernel"
            | b"system"
            | b"spring"
            | b"scala"
            | b"akka"
            | b"os"
            | b"sys"
            | b"node"
            | b"http"
            | b"log"
    )
}

/// Whether a name with a dot that ends so is a file's.
pub(super) fn is_file_ending(ending: &[u8]) -> bool {
    matches!(
        ending,
        b"log"
            | b"txt"
            | b"conf"
            | b"cfg"
            | b"cnf"
            | b"ini"
            | b"xml"
            | b"json"
            | b"yaml"
            | b"yml"
            | b"toml"
            | b"properties"
            | b"so"
            | b"dll"
            | b"exe"
            | b"sys"
            | b"jar"
            | b"war"
            | b"class"
            | b"zip"
            | b"gz"
            | b"tar"
            | b"tgz"
            | b"bz2"
            | b"xz"
            | b"rpm"
            | b"deb"
            | b"py"
            | b"rb"
            | b"js"
            | b"ts"
            | b"go"
            | b"rs"
            | b"c"
            | b"h"
            | b"cc"
            | b"cpp"
            | b"java"
            | b"php"
            | b"pl"
            | b"sh"
            | b"html"
            | b"htm"
            | b"css"
            | b"png"
            | b"jpg"
            | b"jpeg"
            | b"gif"
            | b"svg"
            | b"pdf"
            | b"csv"
            | b"tsv"
            | b"db"
            | b"sqlite"
            | b"pid"
            | b"sock"
            | b"lock"
            | b"tmp"
            | b"bak"
            | b"pem"
            | b"crt"
            | b"key"
            | b"img"
            | b"iso"
            | b"mum"
            | b"cat"
            | b"plist"
            | b"app"
            | b"kext"
            | b"service"
            | b"socket"
            | b"timer"
            | b"mount"
            | b"target"
            | b"slice"
            | b"scope"
            | b"device"
            | b"apk"
            | b"dex"
            | b"sst"
            | b"wal"
            | b"snap"
            | b"parquet"
    )
}

/// Keys whose quoted value is text to read, not a value to hide.
pub(super) fn is_text_key(key: &[u8]) -> bool {
    matches!(
        key,
        b"msg"
            | b"Msg"
            | b"message"
            | b"Message"
            | b"err"
            | b"error"
            | b"reason"
            | b"cause"
            | b"exception"
            | b"detail"
            | b"details"
            | b"event"
            | b"level"
            | b"warning"
            | b"status"
            | b"description"
            | b"summary"
    )
}

/// Whether quoted text starts as an HTTP request does; then it is read and not hidden.
pub(super) fn starts_request(text: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"PATCH ",
        b"OPTIONS ",
        b"CONNECT ",
        b"TRACE ",
    ];
    METHODS.iter().any(|method| text.starts_with(method))
}
