<?php

// The program around a function: it serves HTTP on $PORT and passes each request to App\Handler.
//
// PHP does one thing at a time, so a few workers wait for calls; each takes one, answers it and takes the next. One
// that ends, be it for its memory or because a call outlasted its timeout, is replaced. Who asks is the platform alone,
// which has judged every request before.

declare(strict_types=1);

namespace Dayfly;

const WORKERS = 16;

ini_set('display_errors', 'stderr');
ini_set('log_errors', '0'); // they are printed already
ini_set('html_errors', '0');
ini_set('memory_limit', '-1'); // the platform's own limit is the one that counts

require __DIR__ . '/http.php';
load(__DIR__ . '/function');
serve((int) getenv('PORT'), (int) ceil((float) (getenv('DAYFLY_TIMEOUT_SECONDS') ?: 60)));

/** Make App\Handler known: by Composer's autoloader where there is one, else App\ is the folder src/. */
function load(string $folder): void
{
    if (is_file("$folder/vendor/autoload.php")) {
        require "$folder/vendor/autoload.php";
    }
    spl_autoload_register(static function (string $class) use ($folder): void {
        $path = $folder . '/src/' . strtr(substr($class, 4), '\\', '/') . '.php';
        if (str_starts_with($class, 'App\\') && is_file($path)) {
            require $path;
        }
    });
    if (!method_exists('App\Handler', 'handle')) {
        fwrite(STDERR, "src/Handler.php must hold the class App\\Handler with the method handle\n");
        exit(1);
    }
}

/** Serve until this process is told to end. */
function serve(int $port, int $timeoutSeconds): never
{
    $server = stream_socket_server("tcp://127.0.0.1:$port", $code, $text, context: stream_context_create(
        ['socket' => ['backlog' => 1024]],
    ));
    if ($server === false) {
        fwrite(STDERR, "port $port cannot be listened on: $text\n");
        exit(1);
    }
    $workers = [];
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, static function () use (&$workers): never {
        array_map(static fn (int $worker) => posix_kill($worker, SIGTERM), array_keys($workers));
        exit(0);
    }, restart_syscalls: false);
    while (true) {
        while (count($workers) < WORKERS) {
            $worker = pcntl_fork();
            if ($worker === 0) {
                pcntl_signal(SIGTERM, SIG_DFL);
                work($server, $timeoutSeconds);
            }
            if ($worker < 0) {
                break; // the platform lets no more in; those there are go on
            }
            $workers[$worker] = true;
        }
        $ended = pcntl_wait($status);
        unset($workers[$ended]);
    }
}

/** Take one connection after the other, for as long as this worker lives. */
function work($server, int $timeoutSeconds): never
{
    $busy = null;
    register_shutdown_function(static function () use (&$busy): void {
        if ($busy !== null) { // exit() in the function, or an error that PHP does not throw
            [$connection, $request] = $busy;
            $kind = error_get_last() === null ? 'an exit' : 'a fatal error';
            Answer::problem($kind, $request->headers['x-call-id'] ?? '')->send($connection, $request->method === 'HEAD');
        }
    });
    while (true) {
        $connection = @stream_socket_accept($server, -1);
        if ($connection === false) {
            continue; // a signal
        }
        stream_set_timeout($connection, 86_400);
        $request = Request::read($connection);
        if ($request !== null) {
            $busy = [$connection, $request];
            // A call that goes on after its timeout has been answered already; nothing but its worker's end stops it.
            pcntl_alarm($timeoutSeconds + 1);
            $answer = call($request);
            pcntl_alarm(0);
            $busy = null;
            $answer->send($connection, $request->method === 'HEAD');
        }
        fclose($connection);
    }
}

/** Call the function; what it throws costs this one call. */
function call(Request $request): Answer
{
    $variables = $request->variables();
    foreach ($variables as $name => $value) {
        putenv("$name=$value");
        $_SERVER[$name] = $value;
    }
    try {
        return Answer::of((new \App\Handler())->handle($request->body));
    } catch (\Throwable $error) {
        $callId = $request->headers['x-call-id'] ?? '';
        fwrite(STDERR, "$error (call $callId)\n");
        return Answer::problem(strtok(get_class($error), "\0") ?: 'an error', $callId);
    } finally {
        foreach (array_keys($variables) as $name) {
            putenv($name);
            unset($_SERVER[$name]);
        }
    }
}
