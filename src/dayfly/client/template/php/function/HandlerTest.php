<?php

// Run with `php HandlerTest.php`, in this folder.

require __DIR__ . '/src/Handler.php';

foreach (["Dayfly\n" => "Hello, Dayfly!\n", '' => "Hello, stranger!\n"] as $body => $expected) {
    $answer = (new App\Handler())->handle((string) $body);
    if ($answer !== $expected) {
        fwrite(STDERR, json_encode((string) $body) . ' was answered with ' . json_encode($answer) . "\n");
        exit(1);
    }
}
echo "passed\n";
