import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;

/**
 * Counts messages for chaperone and reports the counts by HTTP. Java 17, no dependencies.
 *
 * <p>Copy the class into your program; docs/clients.md explains the rules it follows. It leaves out
 * latencies, which the one in Python shows. Its methods may be called from any thread, and none but
 * close waits for I/O. Run as a program it sends imaginary messages:
 * java Recorder.java http://localhost:9000 demo 1000
 */
public final class Recorder implements AutoCloseable {
  /** The header of the event time, Unix milliseconds in decimal digits. */
  public static final String TIME_HEADER = "chaperone-time";

  private static final int BATCH = 500; // records of a report
  private static final int PENDING = 10_000; // windows of a topic that may wait to be reported
  private static final int QUIET_ROUNDS = 6; // rounds after which a quiet topic is spoken of
  private static final long PAST = 7 * 86_400_000L, FUTURE = 3_600_000L; // ms; not believed beyond

  /** All that has passed so far: in a window of a segment, or in all of a topic. */
  private static class Counts {
    long attempts, successes, failures, bytes, outOfBounds;
    long changes, said; // how often it changed, and as of which change it is acknowledged
  }

  private record Key(long segment, long start) {}

  private record Due(String json, Runnable arrived) {}

  private static final class Topic extends Counts {
    final String name;
    final Map<Key, Counts> windows = new LinkedHashMap<>();
    long segment, records, progress, acknowledged, quiet;
    boolean greeted;

    Topic(String name) {
      this.name = name;
    }
  }

  private final URI uri;
  private final String tier, token, host, instance;
  private final long every, window, started = System.currentTimeMillis();
  private final int held;
  private final Consumer<String> onError;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final Map<String, Topic> topics = new LinkedHashMap<>();
  private final Thread thread = new Thread(this::run, "chaperone");
  private long round, uncounted;
  private boolean ending;

  /** The size of windows is the same at all tiers. An empty token is none. */
  public Recorder(String address, String tier, String token, long every, long window, int held, Consumer<String> onError)
      throws IOException {
    this.uri = URI.create(address.replaceAll("/+$", "") + "/api/v1/audit");
    this.tier = tier;
    this.token = token;
    this.every = every; // ms
    this.window = window; // seconds
    this.held = held; // windows of a topic
    this.onError = onError;
    this.host = InetAddress.getLocalHost().getHostName();
    // Unique for ever: a name that comes again would go on with the counts of another.
    this.instance = host + "-" + ProcessHandle.current().pid() + "-" + UUID.randomUUID().toString().substring(0, 8);
    thread.setDaemon(true);
    thread.start();
  }

  /** A message with that event time is about to be sent. */
  public void attempt(String topic, long ms) {
    count(topic, ms, 1, 0, 0, 0);
  }

  /** It was acknowledged; bytes are those of key and value. */
  public void success(String topic, long ms, long bytes) {
    count(topic, ms, 0, 1, 0, bytes);
  }

  /** It was given up. */
  public void failure(String topic, long ms) {
    count(topic, ms, 0, 0, 1, 0);
  }

  private synchronized void count(String name, long ms, int attempts, int successes, int failures, long bytes) {
    long now = System.currentTimeMillis();
    boolean believed = ms >= now - PAST && ms <= now + FUTURE;
    long start = Math.floorDiv(believed ? ms : now, 1000 * window) * window;
    Topic t = topics.computeIfAbsent(name, Topic::new);
    Counts c = t.windows.get(new Key(t.segment, start));
    if (c == null) {
      if (t.windows.keySet().stream().filter(k -> k.segment == t.segment).count() >= held) {
        // Give memory up: what is acknowledged can go, because what may come of the same window
        // counts in the next segment, beside it.
        t.segment++;
        t.windows.values().removeIf(w -> w.changes == w.said);
        Iterator<Counts> oldest = t.windows.values().iterator();
        for (int i = t.windows.size(); i > PENDING; i--) { // nobody takes reports; that is said
          uncounted += oldest.next().successes;
          oldest.remove();
        }
      }
      c = new Counts();
      t.windows.put(new Key(t.segment, start), c);
    }
    for (Counts each : List.of(t, c)) {
      each.attempts += attempts;
      each.successes += successes;
      each.failures += failures;
    }
    c.changes++;
    c.bytes += bytes;
    c.outOfBounds += believed ? 0 : successes;
  }

  private void run() {
    try {
      while (pause(every)) {
        attempted(this::report);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** False when it is time to end. */
  private synchronized boolean pause(long ms) throws InterruptedException {
    if (!ending) {
      wait(ms);
    }
    return !ending;
  }

  /** Reports everything and says goodbye; the exception says that it could not. */
  @Override
  public void close() throws IOException, InterruptedException {
    synchronized (this) {
      ending = true;
      notifyAll();
    }
    thread.join();
    for (int tries = 0; !attempted(this::finish); tries++) {
      if (tries == 20) {
        throw new IOException("chaperone: not everything is reported");
      }
      Thread.sleep(500);
    }
    if (uncounted > 0) {
      throw new IOException("chaperone: " + uncounted + " messages are in no report");
    }
  }

  private void finish() throws IOException, InterruptedException {
    report();
    List<Due> goodbyes = new ArrayList<>();
    for (Topic t : topics.values()) {
      goodbyes.add(new Due(head(t, "goodbye", round) + client(t, ",\"records\":" + t.records) + "}}", () -> {}));
    }
    post(uncounted == 0 ? goodbyes : List.of());
  }

  private interface Step {
    void run() throws IOException, InterruptedException;
  }

  /** What fails is said, and tried again in the next round with all that has come since. */
  private boolean attempted(Step step) throws InterruptedException {
    try {
      step.run();
      return true;
    } catch (IOException e) {
      onError.accept("chaperone: " + e);
      return false;
    }
  }

  /** One round: first what was counted, then, when all of that has arrived, how far. */
  private void report() throws IOException, InterruptedException {
    List<Due> due = new ArrayList<>();
    Map<Topic, String> howFar = new LinkedHashMap<>();
    synchronized (this) {
      round++;
      for (Topic t : topics.values()) {
        if (!t.greeted) {
          String hello = head(t, "hello", round) + text(",\"client\":{\"started\":%d,\"every\":%d}}", started, QUIET_ROUNDS * every);
          due.add(new Due(hello, () -> t.greeted = true));
        }
        t.windows.forEach((k, c) -> {
          long changes = c.changes;
          if (changes > c.said) {
            due.add(new Due(window(t, k, c), () -> arrived(t, k, c, changes)));
          }
        });
        howFar.put(t, text("\"sources\":[{\"partition\":-1,\"segment\":%d,\"next\":%d,\"total\":%d,\"time\":%d,\"caughtUp\":\"yes\"}]}",
            t.segment, round, t.successes, System.currentTimeMillis()) + client(t, text(",\"every\":%d,\"uncounted\":%d,\"records\":", QUIET_ROUNDS * every, uncounted)));
      }
    }
    post(due);
    due.clear();
    howFar.forEach((t, text) -> {
      if (++t.quiet >= QUIET_ROUNDS) {
        long version = ++t.progress;
        due.add(new Due(head(t, "progress", version) + ",\"progress\":{\"askedAfter\":" + t.acknowledged + "," + text + t.records + "}}", () -> {
          t.acknowledged = version;
          t.quiet = 0;
        }));
      }
    });
    post(due);
  }

  private void arrived(Topic t, Key k, Counts c, long changes) {
    t.records += c.said == 0 ? 1 : 0;
    t.quiet = QUIET_ROUNDS; // say how far
    c.said = changes;
    if (k.segment < t.segment && c.changes == c.said) {
      t.windows.remove(k);
    }
  }

  private String head(Topic t, String kind, long version) {
    return text("{\"v\":1,\"kind\":\"%s\",\"topicName\":%s,\"tier\":%s,\"hostname\":%s,\"instance\":%s,\"owner\":%5$s,\"version\":%6$d",
        kind, quoted(t.name), quoted(tier), quoted(host), quoted(instance), version);
  }

  /** Its end is the caller's. */
  private String client(Counts c, String more) {
    return text(",\"client\":{\"attempts\":%d,\"successes\":%d,\"failures\":%d,\"started\":%d%s", c.attempts, c.successes, c.failures, started, more);
  }

  private String window(Topic t, Key k, Counts c) {
    return head(t, "window", round) + client(c, "}")
        + text(",\"segment\":%d,\"timeBeginInSec\":%d,\"timeEndInSec\":%d,\"count\":%d,\"totalBytes\":%d,\"outOfBoundsCount\":%d",
            k.segment, k.start, k.start + window, c.successes, c.bytes, c.outOfBounds)
        + ",\"timeBasis\":\"header\"}";
  }

  private static String text(String format, Object... args) {
    return String.format(Locale.ROOT, format, args); // elsewhere digits may be others
  }

  private static String quoted(String s) {
    StringBuilder b = new StringBuilder("\"");
    s.chars().forEach(c -> b.append(c == '"' || c == '\\' || c < ' ' ? text("\\u%04x", c) : Character.toString(c)));
    return b.append('"').toString();
  }

  private void post(List<Due> records) throws IOException, InterruptedException {
    for (int i = 0; i < records.size(); i += BATCH) {
      List<Due> batch = records.subList(i, Math.min(records.size(), i + BATCH));
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      try (GZIPOutputStream zip = new GZIPOutputStream(body)) {
        zip.write(batch.stream().map(Due::json).collect(Collectors.joining("\n")).getBytes(StandardCharsets.UTF_8));
      }
      HttpRequest.Builder r = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(30))
          .header("Content-Type", "application/x-ndjson").header("Content-Encoding", "gzip")
          .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray()));
      if (!token.isEmpty()) {
        r.header("Authorization", "Bearer " + token);
      }
      HttpResponse<String> answer = http.send(r.build(), HttpResponse.BodyHandlers.ofString());
      // A status is not enough: whatever else listens there may answer 200 to everything.
      if (answer.statusCode() != 200 || !answer.body().matches("\\s*\\{\\s*\"accepted\"\\s*:\\s*" + batch.size() + "\\s*}\\s*")) {
        throw new IOException(answer.statusCode() + " " + answer.body().substring(0, Math.min(2000, answer.body().length())));
      }
      synchronized (this) {
        batch.forEach(d -> d.arrived.run());
      }
    }
  }

  /** Arguments: address, topic, number of messages; then minutes of event time and windows held. */
  public static void main(String[] args) throws Exception {
    int messages = Integer.parseInt(args[2]), spread = args.length > 3 ? Integer.parseInt(args[3]) : 30;
    String token = System.getenv().getOrDefault("CHAPERONE_TOKEN", "");
    Random random = new Random();
    long sent = 0;
    try (Recorder r = new Recorder(args[0], "java", token, 200, 600, args.length > 4 ? Integer.parseInt(args[4]) : 16, System.err::println)) {
      for (int n = 0; n < messages; n++) {
        long ms = System.currentTimeMillis() - random.nextInt(spread * 60_000); // goes into the header TIME_HEADER
        r.attempt(args[1], ms);
        if (n % 100 == 99) { // here a Kafka client would say what became of it
          r.failure(args[1], ms);
        } else {
          r.success(args[1], ms, 100);
          sent++;
        }
        if (n % 500 == 0) {
          Thread.sleep(100);
        }
      }
    }
    System.out.printf(Locale.ROOT, "{\"attempts\":%d,\"successes\":%d,\"bytes\":%d,\"closed\":true}%n", messages, sent, 100 * sent);
  }
}
