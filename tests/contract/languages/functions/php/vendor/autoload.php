<?php

// What Composer writes here makes packages known; one function stands for them.
function greeting(): string
{
    return 'found';
}
