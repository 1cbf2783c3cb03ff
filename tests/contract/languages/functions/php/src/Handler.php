<?php

namespace App;

class Handler
{
    public function handle($data)
    {
        [$first, $rest] = explode("\n", $data, 2) + [1 => ''];
        [$command, $argument] = explode(' ', $first, 2) + [1 => ''];
        switch ($command) {
            case 'echo':
                return $rest;
            case 'tell':
                return implode(' ', array_map('getenv', ['Http_Method', 'Http_Path', 'Http_Query', 'Http_X_Mark']));
            case 'answer':
                return ['statusCode' => 418, 'headers' => ['X-Mark' => 'seen'], 'body' => 'short and stout'];
            case 'raise':
                throw new \RuntimeException('told on purpose');
            case 'log':
                echo "to stdout: $rest\n";
                fwrite(STDERR, "to stderr: $rest\n");
                return '';
            case 'settings':
                return php_ini_loaded_file() !== false && extension_loaded('posix') ? 'found' : 'missing';
            case 'vendored':
                return \greeting();
            case 'env':
                return (string) getenv($argument);
            case 'sleep':
                usleep((int) ((float) $argument * 1e6));
                return 'awake';
        }
    }
}
